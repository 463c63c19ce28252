# Mounts one synced folder as Vagrant does, and proves that its owner can write to it.
# $1 share, $2 path, $3 owner (name or number), $4 group (name, number or empty), $5 more options, comma-separated,
# $6 the same for the kernel's own vboxsf, which knows others, $7 "yes" where that is what the guest has.
share=$1
path=$2
owner=$3
group=$4
more=$5
own_more=$6
own=$7

uid=$(id -u "$owner" 2>/dev/null) || uid=$owner
gid=$(getent group "$group" 2>/dev/null | cut -d: -f3)
if [ -z "$gid" ]; then
	gid=$(id -g "$owner" 2>/dev/null) || gid=$group
fi
case "$uid$gid" in
'' | *[!0-9]*)
	echo "boxdoctor: the guest has no user $owner or no group $group"
	exit 1
	;;
esac
options=${more:+$more,}uid=$uid,gid=$gid
own_options=${own_more:+$own_more,}uid=$uid,gid=$gid

try() {
	echo "+ mount -t vboxsf -o $1 $share $path"
	mount -t vboxsf -o "$1" "$share" "$path" 2>"$log"
	status=$?
	cat "$log"
	return "$status"
}

# try_own mounts the kernel's own vboxsf, without the helper of the Guest Additions.
try_own() {
	echo "+ mount -cit vboxsf -o $own_options $share $path"
	mount -cit vboxsf -o "$own_options" "$share" "$path"
}

attempt() {
	if [ "$own" = yes ]; then
		try_own
		return
	fi
	try "$options,_netdev" && return 0
	case $(cat "$log") in
	*-cit*) try_own ;;
	*_netdev*) try "$options" ;;
	*) return 1 ;;
	esac
}

# usable: something can be mounted on it. A stale folder cannot even be listed.
usable() {
	[ -d "$path" ] && ls "$path" >/dev/null 2>&1
}

log=$(dirname "$0")/mount.log
trap 'rm -f "$log"' EXIT
made=no
if ! mountpoint -q "$path" && ! usable && { [ -e "$path" ] || [ -L "$path" ]; }; then
	aside=$path.before-boxdoctor-$$
	if ! rmdir "$path" 2>/dev/null && ! mv "$path" "$aside"; then
		echo "boxdoctor: nothing can be mounted on $path, and it cannot be moved aside"
		exit 1
	fi
	if [ -e "$aside" ] || [ -L "$aside" ]; then
		echo "boxdoctor: nothing can be mounted on $path as it was; it is now $aside"
	fi
fi
if [ ! -e "$path" ]; then
	made=yes
	mkdir -p "$path"
fi
modprobe vboxsf 2>/dev/null || true
tries=0
until mountpoint -q "$path" || attempt; do
	tries=$((tries + 1))
	if [ "$tries" -gt 3 ]; then
		echo "boxdoctor: $share could not be mounted on $path"
		if [ "$made" = yes ]; then
			rmdir "$path"
		fi
		exit 1
	fi
	sleep 5
done
case ",$more," in
*,ro,*)
	echo "boxdoctor: mounted read-only, as wanted"
	exit 0
	;;
esac
probe=$path/.boxdoctor-write-test-$$

# as_owner COMMAND... runs it as the owner, also where there is no sudo
as_owner() {
	if [ "$uid" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo -n -u "#$uid" "$@"
	else
		# shellcheck disable=SC2016 # expanded by the inner shell
		su -s /bin/sh "$(id -un "$uid")" -c 'exec "$0" "$@"' "$@"
	fi
}

# Programs such as npm need symbolic links; without them the share is of use all the same.
# shellcheck disable=SC2016
as_owner sh -c 'ln -s nowhere "$1" && rm "$1"' sh "$probe-link" 2>/dev/null ||
	echo "boxdoctor: no symbolic links can be made in $path (boxdoctor explain mount.symlinks)"
# shellcheck disable=SC2016
if as_owner sh -c ': >"$1" && rm "$1"' sh "$probe"; then
	echo "boxdoctor: uid $uid can write to $path"
	exit 0
fi
rm -f "$probe"
echo "boxdoctor: $path is mounted, but uid $uid cannot write to it"
exit 1
