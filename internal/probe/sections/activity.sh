# shellcheck shell=sh
procs | while read -r pid name; do
	case $name in
	yum | dnf | dnf5 | dnf-3 | microdnf | rpm | apt | apt-get | aptitude | dpkg | zypper | pacman) tag pm "$name $pid" ;;
	apt.systemd.dai*) tag pm "apt.systemd.daily $pid" ;;
	unattended-upg*)
		# its helper waits for a shutdown and does nothing until then
		case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
		*unattended-upgrade-shutdown*) ;;
		*) tag pm "unattended-upgrades $pid" ;;
		esac
		;;
	packagekitd)
		# always there on desktops: only when it holds a lock
		if grep -e "WRITE  *$pid " /proc/locks >/dev/null 2>&1; then tag pm "packagekitd $pid"; fi
		;;
	esac
done
# files instead of `cloud-init status`, which takes a second
if [ -e /etc/cloud/cloud-init.disabled ] || [ -e /run/cloud-init/disabled ]; then
	tag cloudinit disabled
elif [ -e /run/cloud-init/result.json ]; then
	tag cloudinit 'done'
elif [ -e /run/cloud-init/status.json ] || [ -e /run/cloud-init/enabled ]; then
	tag cloudinit running
elif [ -e /var/lib/cloud/instance/boot-finished ]; then
	tag cloudinit 'done'
fi
# our own jobs: those with a process and without an exit status
if [ -d /var/lib/boxdoctor ]; then
	# After a reboot another process may have the number: the command line of a job names its folder.
	# shellcheck disable=SC2016 # expanded by the inner shell
	block jobs asroot 5 sh -c 'for d in /var/lib/boxdoctor/jobs/*; do
		[ -f "$d/pid" ] && [ ! -e "$d/rc" ] || continue
		read -r p <"$d/pid" || [ -n "$p" ] || continue
		case $p in *[!0-9]* | "") continue ;; esac
		kill -0 "$p" 2>/dev/null || continue
		case $(tr "\\0" " " <"/proc/$p/cmdline" 2>/dev/null) in
		"" | *"${d##*/}"*) printf "%s\n" "${d##*/}" ;;
		esac
	done'
fi
exit 0
