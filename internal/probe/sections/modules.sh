# shellcheck shell=sh
have modinfo || {
	printf 'modinfo: command not found\n'
	exit 127
}
for m in vboxguest vboxsf vboxvideo; do
	tag module "$m"
	tag path "$(lim 5 modinfo -n "$m" 2>/dev/null)"
	tag version "$(lim 5 modinfo -F version "$m" 2>/dev/null)"
	tag signer "$(lim 5 modinfo -F signer "$m" 2>/dev/null)"
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

# Who keeps the modules in memory: what processes have open of a share or of the device. Only root sees that of others.
if [ -d /sys/module/vboxguest ]; then
	set -- /dev/vboxguest /dev/vboxuser
	while read -r a b c _; do
		[ "$c" != vboxsf ] || set -- "$@" "$(printf '%b' "$b")" # a blank is \040 there
	done </proc/mounts
	# shellcheck disable=SC2016 # expanded by the inner shell
	block open asroot 8 sh -c 'at=
ls -l /proc/[0-9]*/cwd /proc/[0-9]*/fd 2>/dev/null | while IFS= read -r line; do
	case $line in
	/proc/*:) at=${line%/fd:} ;;
	*" /proc/"*"/cwd -> "*) at=/proc/${line#* /proc/} at=${at%%/cwd*} ;;
	esac
	to=${line##* -> }
	for p in "$@"; do
		case $to in
		"$p" | "$p"/*)
			name=
			if [ -r "$at/comm" ]; then read -r name <"$at/comm"; fi
			printf "%s|%s|%s\n" "${at#/proc/}" "$name" "$to"
			;;
		esac
	done
done | head -n 200' sh "$@"
fi
exit 0
