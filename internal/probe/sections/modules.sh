# shellcheck shell=sh
have modinfo || {
	printf 'modinfo: command not found\n'
	exit 127
}
for m in vboxguest vboxsf vboxvideo; do
	tag module "$m"
	tag path "$(lim 5 modinfo -n "$m" 2>/dev/null)"
	tag version "$(lim 5 modinfo -F version "$m" 2>/dev/null)"
	[ -d "/sys/module/$m" ] || continue
	tag loaded yes
	if [ -r "/sys/module/$m/version" ]; then
		IFS= read -r v <"/sys/module/$m/version"
		tag running "$v"
	fi
	if [ -r "/sys/module/$m/refcnt" ]; then
		IFS= read -r v <"/sys/module/$m/refcnt"
		tag refcnt "$v"
	fi
	for h in "/sys/module/$m/holders/"*; do
		[ ! -e "$h" ] || tag holder "${h##*/}"
	done
done
while read -r a b; do
	if [ "$a" = vboxsf ] || [ "$b" = vboxsf ]; then tag registered yes; fi
done </proc/filesystems
exit 0
