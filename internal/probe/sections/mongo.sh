# shellcheck shell=sh
# What decides whether a mongod starts and runs well here. Nothing is started: mongod --version itself dies of a CPU that
# its build does not know.
sed -n '/^flags\|^Features/{p;q;}' /proc/cpuinfo | sed 's/^[^:]*: */=cpuflags /'
sed -n '/^model name/{p;q;}' /proc/cpuinfo | sed 's/^[^:]*: */=cpu /'
sed -n 's/^MemTotal: *\([0-9]*\) kB/=memory \1/p' /proc/meminfo
for f in enabled defrag khugepaged/max_ptes_none; do
	if [ -r "/sys/kernel/mm/transparent_hugepage/$f" ]; then
		IFS= read -r v <"/sys/kernel/mm/transparent_hugepage/$f"
		tag thp "$f $v"
	fi
done
# by cat: dash reads byte by byte, and a parameter gives everything to the first read only
for k in vm/swappiness vm/max_map_count vm/overcommit_memory vm/zone_reclaim_mode net/core/somaxconn net/ipv4/tcp_keepalive_time; do
	if [ -r "/proc/sys/$k" ]; then
		tag sysctl "$k $(cat "/proc/sys/$k")"
	fi
done
# shellcheck disable=SC2016 # ${…} is dpkg-query's
case $BD_MANAGER in
apt) tag installed "$(lim 5 dpkg-query -W -f='${Version} ${Status}' mongodb-org-server 2>/dev/null)" ;;
yum | dnf | dnf5 | zypper) tag installed "$(lim 5 rpm -q --qf '%{VERSION} installed' mongodb-org-server 2>/dev/null)" ;;
esac
if [ -e /etc/mongod.conf ]; then
	tag conf yes
	reader /etc/mongod.conf 2>/dev/null | sed -n '/^[[:space:]]*\(dbPath\|port\|cacheSizeGB\|replSetName\|bindIp\)[[:space:]]*:/s/^[[:space:]]*/=option /p'
fi
# a process by that name, and its limits
for p in /proc/[0-9]*; do
	[ -r "$p/comm" ] || continue
	IFS= read -r v <"$p/comm" 2>/dev/null || continue
	case $v in
	mongod)
		tag running "${p#/proc/}"
		block limits asroot 5 cat "$p/limits"
		;;
	chronyd | ntpd | systemd-timesyn*) tag timeservice "$v" ;;
	esac
done
# VBoxService keeps the clock of a VirtualBox guest
for p in /proc/[0-9]*; do
	[ -r "$p/comm" ] && IFS= read -r v <"$p/comm" 2>/dev/null && [ "$v" = VBoxService ] && tag timeservice VBoxService
done
# who listens at the port; 27017 is 6989 in hexadecimal
if grep -i -q ':6989 [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
	if have ss; then v=$(asroot 5 ss -ltnp 'sport = :27017' 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)".*/\1/p' | head -n 1); else v=''; fi
	tag listener "${v:--}"
fi
n=$(uname -n)
tag name "$n $(lim 5 getent hosts "$n" 2>/dev/null | sed -n '1s/[[:space:]].*//p')"
for d in /var/lib/mongo /var/lib/mongodb /var/lib; do
	if [ -d "$d" ]; then
		block data lim 8 df -PkT "$d"
		if [ "$d" != /var/lib ]; then block label ls -Zd "$d"; fi
		break
	fi
done
for s in /tmp/mongodb-*.sock; do
	[ -S "$s" ] && block socket ls -Z "$s"
done
for f in /sys/fs/selinux/enforce /selinux/enforce; do
	[ -r "$f" ] || continue
	IFS= read -r v <"$f" || [ -n "$v" ]
	tag enforce "$v"
	break
done
exit 0
