# Installs Guest Additions from an uploaded ISO.
# $1 ISO, $2 its sha256, $3 version, $4 another kernel to build for (or empty), $5 a folder for this run, $6 "yes"
# when the build needs a /tmp of its own, $7 a compiler to use instead of the guest's gcc (or empty), $8 and $9 where the
# installer lies in the ISO, in bytes (or 0).
# The installer's exit status is shown and proves nothing: 0 was seen with nothing built, 2 with everything
# built. boxdoctor judges by what it observes afterwards.
iso=$1
sha=$2
version=$3
other=$4
home=$5
own_tmp=$6
compiler_name=$7
at=$8
size=$9
mnt=$home/iso
tmp=$home/tmp

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	trap - EXIT
	if mountpoint -q "$mnt" 2>/dev/null; then
		umount "$mnt" || umount -l "$mnt"
	fi
	rm -rf "$home"
}
trap cleanup EXIT
trap 'exit 143' HUP INT TERM

mkdir -p "$mnt" "$tmp"
chmod 0700 "$home"
if [ "$(sha256sum <"$iso" | cut -c1-64)" != "$sha" ]; then
	echo "boxdoctor: the ISO is not the one that was uploaded; it was not run"
	exit 9
fi
modprobe loop 2>/dev/null || true
echo "+ mount -o loop,ro $iso $mnt"
if mount -o loop,ro "$iso" "$mnt"; then
	installer=$mnt/VBoxLinuxAdditions.run
	if [ ! -e "$installer" ] && [ -e "$mnt/vboxlinuxadditions.run" ]; then
		installer=$mnt/vboxlinuxadditions.run
	fi
elif [ "$size" -gt 0 ]; then
	# no loop device, or a kernel without iso9660: a file of an ISO lies in one piece
	echo "boxdoctor: this guest cannot mount the ISO, so the installer is cut out of it"
	installer=$home/VBoxLinuxAdditions.run
	tail -c "+$((at + 1))" "$iso" | head -c "$size" >"$installer"
else
	echo "boxdoctor: this guest cannot mount the ISO; nothing was changed"
	exit 1
fi
case $(head -c 30000 "$installer" | grep -a '^label=') in
*"VirtualBox $version "*) ;;
*)
	echo "boxdoctor: the installer on the ISO is not that of version $version; it was not run"
	exit 9
	;;
esac
wait_start
echo "+ VBoxLinuxAdditions.run --nox11"
TMPDIR=$tmp
export TMPDIR
use_compiler "$compiler_name" "$home/cc"
with_tmp "$own_tmp" "$tmp" sh "$installer" --nox11 </dev/null
echo "boxdoctor: the installer ended with status $? (this proves nothing)"

setup=/sbin/rcvboxadd
if [ ! -x "$setup" ]; then
	setup=/etc/init.d/vboxadd
fi
if [ -n "$other" ] && [ -x "$setup" ]; then
	echo "+ $setup quicksetup $other"
	with_tmp "$own_tmp" "$tmp" "$setup" quicksetup "$other" </dev/null
	echo "boxdoctor: ended with status $? (this proves nothing)"
fi
if [ -n "$other" ]; then
	depmod -a "$other" 2>/dev/null
fi
depmod -a 2>/dev/null
exit 0
