# shellcheck shell=sh
# Lock lists and excludes, whole: a plan computes their successors from these bytes.

# setting FILE KEY: the last value of KEY in an ini file
setting() { sed -n "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*//p" "$1" 2>/dev/null | tail -n 1; }

tag manager "$BD_MANAGER"
case $BD_MANAGER in
yum)
	for f in /usr/lib/yum-plugins/versionlock.py /usr/share/yum-plugins/versionlock.py; do
		[ ! -e "$f" ] || tag plugin "$f"
	done
	dump /etc/yum.conf
	dump /etc/yum/pluginconf.d/versionlock.conf
	list=$(setting /etc/yum/pluginconf.d/versionlock.conf locklist)
	list=${list:-/etc/yum/pluginconf.d/versionlock.list}
	tag list "$list"
	dump "$list"
	;;
dnf)
	for f in /usr/lib*/python*/site-packages/dnf-plugins/versionlock.py /usr/lib/python3/dist-packages/dnf-plugins/versionlock.py; do
		[ ! -e "$f" ] || tag plugin "$f"
	done
	dump /etc/dnf/dnf.conf
	dump /etc/dnf/plugins/versionlock.conf
	list=$(setting /etc/dnf/plugins/versionlock.conf locklist)
	list=${list:-/etc/dnf/plugins/versionlock.list}
	tag list "$list"
	dump "$list"
	;;
dnf5)
	dump /etc/dnf/dnf.conf
	for f in /etc/dnf/libdnf5.conf.d/*.conf; do dump "$f"; done
	dump /etc/dnf/versionlock.toml
	;;
apt)
	# the selections that apt-mark shows and sets, without the half second that apt needs to open its cache; without a
	# pattern dpkg leaves out packages that are not installed, and those are the ones that a hold keeps out
	out=$(lim 10 dpkg --get-selections '*' 2>&1)
	tag selections "$?"
	printf '%s\n' "$out" | grep -e 'hold$' -e '^dpkg' | head -n 2000 | sed 's/^/| /'
	;;
zypper) dump /etc/zypp/locks ;;
pacman) dump /etc/pacman.conf ;;
esac
case $BD_MANAGER in
yum | dnf | dnf5)
	# of the repository files only those that exclude something
	for f in /etc/yum.repos.d/*.repo /etc/yum/repos.d/*.repo /etc/dnf/repos.override.d/*.repo; do
		if [ -r "$f" ] && grep -i '^[[:space:]]*exclude' "$f" >/dev/null 2>&1; then dump "$f"; fi
	done
	;;
esac
# a package transaction of ours that never put its locks back
if [ -d /var/lib/boxdoctor ]; then
	block pending asroot 5 find /var/lib/boxdoctor/pending -mindepth 1 -maxdepth 1 -type d
fi
exit 0
