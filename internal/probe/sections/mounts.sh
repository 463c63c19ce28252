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
tag groups "$(lim 3 id -nG "$BD_USER" 2>/dev/null)"
tag sharegroup "$(lim 3 getent group vboxsf 2>/dev/null)"
for t in rsync mount.nfs mount.cifs sshfs; do
	tag tool "$t $(command -v "$t" 2>/dev/null)"
done
for t in nginx httpd apache2; do
	! have "$t" || tag web "$t"
done
for f in /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/httpd/conf/httpd.conf /etc/apache2/apache2.conf; do
	[ -r "$f" ] || continue
	if grep -i -e '^[[:space:]]*sendfile[[:space:]][[:space:]]*on' -e '^[[:space:]]*EnableSendfile[[:space:]][[:space:]]*on' "$f" >/dev/null 2>&1; then
		tag sendfile "$f"
	fi
done
# who uses a mounted share, by /proc, because not every guest has fuser; blanks are octal in /proc/mounts
while read -r _ target type _; do
	[ "$type" = vboxsf ] || continue
	# shellcheck disable=SC2016 # expanded by the inner shell
	block "holders $target" asroot 5 sh -c 'ls -l /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/fd 2>/dev/null |
		sed -n -e "s,^/proc/\([0-9]*\)/fd:\$,= \1,p" -e "s,^.* /proc/\([0-9]*\)/[a-z]* -> ,\1 ,p" -e "s,^l.* [0-9]* -> ,- ,p" |
		{ pid=; while read -r p path; do
			case $p in =) pid=$path; continue ;; -) p=$pid ;; esac
			case $path in "$0" | "$0"/*) echo "$p" ;; esac
		done; } | sort -u | head -n 20 | while read -r p; do
			echo "$p $(sed -n "s/^Name:[[:space:]]*//p" "/proc/$p/status" 2>/dev/null)"
		done' "${target%%\\*}"
done </proc/mounts
shift
n=${1:-0}
[ $# -eq 0 ] || shift
while [ "$n" -gt 0 ]; do
	tag wanted "$1"
	if [ -d "$1" ]; then
		# whoever may not look into a sound folder says nothing of it
		out=$(lim 5 ls "$1" 2>&1 >/dev/null) || case $out in *ermission* | *'not permitted'*) ;; *) tag stale 'it is a folder that cannot be read' ;; esac
	elif [ -L "$1" ]; then
		tag stale "it is a link that leads nowhere ($(readlink "$1"))"
	elif [ -e "$1" ]; then
		tag stale 'it is no folder'
	fi
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
