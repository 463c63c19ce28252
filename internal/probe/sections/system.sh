# shellcheck shell=sh
tag release "$BD_KERNEL"
tag arch "$(uname -m)"
tag host "$(uname -n)"
if [ -e /etc/os-release ]; then dump /etc/os-release; else dump /usr/lib/os-release; fi
# EL6 and older have no os-release
for f in /etc/centos-release /etc/oracle-release /etc/redhat-release /etc/SuSE-release /etc/debian_version /etc/arch-release; do
	dump "$f"
done
tag manager "$BD_MANAGER"
if [ -r /sys/class/dmi/id/product_name ]; then
	IFS= read -r v </sys/class/dmi/id/product_name
	tag product "$v"
fi
for d in /sys/bus/pci/devices/*; do
	if [ ! -r "$d/vendor" ] || [ ! -r "$d/device" ]; then continue; fi
	read -r v <"$d/vendor"
	[ "$v" = 0x80ee ] || continue
	read -r v <"$d/device"
	[ "$v" = 0xcafe ] && tag pci yes
done
if have systemd-detect-virt; then
	tag container "$(lim 3 systemd-detect-virt --container 2>/dev/null)"
fi
if [ -d /run/systemd/system ]; then
	tag init systemd
elif [ -x /sbin/initctl ] && lim 3 /sbin/initctl version 2>/dev/null | grep upstart >/dev/null; then
	tag init upstart
elif [ -e /etc/inittab ] || [ -d /etc/init.d ]; then
	tag init sysv
else
	tag init other
fi
if [ -r /proc/sys/kernel/random/boot_id ]; then
	read -r v </proc/sys/kernel/random/boot_id
	tag bootid "$v"
fi
tag user "$BD_USER"
tag uid "$(id -u "$BD_USER")"
tag gid "$(id -g "$BD_USER")"
exit 0
