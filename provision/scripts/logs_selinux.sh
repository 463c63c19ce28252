# Lets an rsyslog of its own do its work where SELinux is in force: its ports, and the folder of its buffer. $1 look
# (prints what is missing, one a line) or apply, $2 the folder, then the ports.
set -u
LC_ALL=C
export LC_ALL
verb=$1 dir=$2
shift 2
mode=$(getenforce 2>/dev/null) || mode=Disabled
if [ "$mode" = Disabled ]; then exit 0; fi

if [ "$verb" = apply ] && ! command -v semanage >/dev/null 2>&1; then
	if command -v dnf >/dev/null 2>&1; then
		dnf -y install policycoreutils-python-utils || exit 1
	else
		yum -y install policycoreutils-python || exit 1
	fi
fi
if ! command -v semanage >/dev/null 2>&1; then
	echo "semanage"
	exit 0
fi
ports=$(semanage port -l | awk '$1 == "syslogd_port_t" && $2 == "tcp" { $1 = $2 = ""; print }' | tr -d ' ')
for port; do
	case ,$ports, in *,"$port",*) continue ;; esac
	if [ "$verb" = look ]; then
		echo "port $port"
	else
		semanage port -a -t syslogd_port_t -p tcp "$port" || semanage port -m -t syslogd_port_t -p tcp "$port" || exit 1
	fi
done
if ! semanage fcontext -l | grep -qF "$dir(/.*)?"; then
	if [ "$verb" = look ]; then
		echo "folder $dir"
	else
		semanage fcontext -a -t syslogd_var_lib_t "$dir(/.*)?" || exit 1
	fi
fi
if [ "$verb" = apply ] && [ -e "$dir" ]; then restorecon -R "$dir"; fi
