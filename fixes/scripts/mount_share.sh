# Mounts one synced folder as Vagrant does, and proves that its owner can write to it.
# $1 share, $2 path, $3 owner (name or number), $4 group (name, number or empty), $5 more options, comma-separated.
share=$1
path=$2
owner=$3
group=$4
more=$5

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

try() {
	echo "+ mount -t vboxsf -o $1 $share $path"
	mount -t vboxsf -o "$1" "$share" "$path" 2>"$log"
	status=$?
	cat "$log"
	return "$status"
}

attempt() {
	try "$options,_netdev" && return 0
	case $(cat "$log") in
	*-cit*)
		echo "+ mount -cit vboxsf -o $options $share $path"
		mount -cit vboxsf -o "$options" "$share" "$path"
		;;
	*_netdev*) try "$options" ;;
	*) return 1 ;;
	esac
}

log=$(dirname "$0")/mount.log
trap 'rm -f "$log"' EXIT
made=no
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

# shellcheck disable=SC2016
if as_owner sh -c ': >"$1" && rm "$1"' sh "$probe"; then
	echo "boxdoctor: uid $uid can write to $path"
	exit 0
fi
rm -f "$probe"
echo "boxdoctor: $path is mounted, but uid $uid cannot write to it"
exit 1
