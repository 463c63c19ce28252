# shellcheck shell=sh
# Nothing is written: whether the login user could write is asked with test -w.

# writable PATH: as the login user, also when the probe itself runs as root
writable() {
	if [ "$BD_UID" != 0 ] || [ "$BD_USER" = root ]; then
		[ -w "$1" ]
	elif have sudo && sudo -n -u "$BD_USER" true 2>/dev/null; then
		lim 5 sudo -n -u "$BD_USER" test -w "$1"
	else
		# shellcheck disable=SC2016 # expanded by the inner shell: a path is never part of a script
		lim 5 su -s /bin/sh "$BD_USER" -c 'test -w "$0"' "$1"
	fi
}

block mounts cat /proc/mounts
dump /etc/fstab
shift
n=${1:-0}
[ $# -eq 0 ] || shift
while [ "$n" -gt 0 ]; do
	tag wanted "$1"
	if [ -d "$1" ]; then
		tag exists yes
		tag owner "$(lim 3 stat -L -c '%u %g' "$1" 2>/dev/null)"
		if writable "$1" 2>/dev/null; then tag writable yes; fi
	fi
	tag wantuid "$(id -u "${2:-$BD_USER}" 2>/dev/null)"
	if [ -n "$3" ]; then
		tag wantgroup "$(lim 3 getent group "$3" 2>/dev/null)"
	else
		tag wantgid "$(id -g "${2:-$BD_USER}" 2>/dev/null)"
	fi
	shift 3
	n=$((n - 1))
done
exit 0
