# shellcheck shell=bash disable=SC2154
# Sourced by vm.sh: root file systems and disk images. A change of this file, of guest/ or of sick/ builds the images anew.

# The kernel for which the sick guest's old Guest Additions were built: Debian 11's, named as EL names its kernels.
KREL_OLDER=5.10.0-240.22.1.el9.x86_64
GA_OLD=6.1.22
GA_NEW=7.0.20

image_recipe() {
	{
		cd "$here" || exit
		cat image.sh guest/* sick/founding
		kernel_recipe
		cat "$OUTER/el-root.stamp"
	} | sha256sum | cut -d' ' -f1
}

cmd_image() {
	local name=${1:-founding} want
	case $name in
	founding | current | healthy)
		cmd_kernel
		"$lab" repo
		want=$(image_recipe)
		;;
	stock)
		"$lab" repo
		want=$(stock_recipe)
		;;
	*) die "unknown image $name (founding, current, healthy, stock)" ;;
	esac
	if [ "$(cat "$VM/$name.stamp" 2>/dev/null)" = "$want" ]; then say "image $name: cached"; return; fi
	rm -f "$VM/$name.stamp"
	timed "image $name" "build_$name"
	echo "$want" >"$VM/$name.stamp"
}

# inside ROOT COMMAND...: in the root, before it is a guest: no service manager, no network, the outer kernel
inside() {
	local root=$1
	shift
	timeout 600 systemd-nspawn --quiet --register=no --keep-unit --private-network --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
		--machine=boxdoctor-vm-build -D "$root" "$@" </dev/null
}

# boot_rpm: what an EL guest has for its boot loader, in the shape this GRUB needs
boot_rpm() {
	local stage=$VM/tmp/boot
	rm -rf "$stage"
	mkdir -p "$stage"/{usr/sbin,usr/bin,usr/lib/kernel/install.d,etc/kernel,etc/sysconfig,boot/grub2}
	cp "$here/guest/20-lab-grub.install" "$stage/usr/lib/kernel/install.d/"
	cp "$here/guest/grubby" "$here/guest/grub2-set-default" "$stage/usr/sbin/"
	cp "$(command -v grub-editenv)" "$stage/usr/bin/grub2-editenv"
	cp "$here/guest/grub.cfg" "$stage/boot/grub2/"
	echo 'layout=other' >"$stage/etc/kernel/install.conf"
	mkdir "$stage/etc/kernel/install.d"
	ln -s /dev/null "$stage/etc/kernel/install.d/85-initrd.install" # Debian's; it talks, and this kernel needs no initrd
	printf 'UPDATEDEFAULT=yes\nDEFAULTKERNEL=kernel-core\n' >"$stage/etc/sysconfig/kernel"
	LAB=$VM mkrpm lab-boot 1 1.el9 "$stage" "Provides: grubby"
	rm -rf "$stage"
}

# older_headers_rpm: kernel-headers of the box's first days (files of ours; only its version matters here)
older_headers_rpm() {
	local stage=$VM/tmp/older-headers
	rm -rf "$stage"
	mkdir -p "$stage"
	(cd "$stage" && rpm2cpio "$VM/rpms/kernel-headers-$(krel "$LOCAL_OLD").rpm" | cpio -idm --quiet)
	LAB=$VM mkrpm kernel-headers 5.10.0 240.22.1.el9 "$stage" "Provides: glibc-kernheaders = 3.0-46"
	rm -rf "$stage"
}

# sign: dnf in the guest checks signatures; the key is ours and known to the guest
sign() {
	export GNUPGHOME=$VM/gnupg
	if [ ! -d "$GNUPGHOME" ]; then
		mkdir -m700 "$GNUPGHOME"
		timeout 60 gpg --batch --quiet --passphrase '' --quick-gen-key 'boxdoctor lab, VM' rsa2048 sign never 2>/dev/null
	fi
	gpg --armor --export >"$VM/key.asc"
	timeout 120 rpmsign --define "_gpg_name boxdoctor lab, VM" --define "__gpg $(command -v gpg)" --addsign "$VM"/rpms/*.rpm >/dev/null 2>"$VM/tmp/sign.log" ||
		{ cat "$VM/tmp/sign.log" >&2; die "signing failed"; }
	timeout 20 gpgconf --kill all
	unset GNUPGHOME
}

# build_root ROOT: the container lab's EL-like root with our kernel instead of its stand-in
build_root() {
	local root=$1
	rm -rf "$root"
	mkdir -p "$VM/tmp"
	cp -a "$OUTER/el-root" "$root"
	boot_rpm
	older_headers_rpm
	sign
	inside "$root" sh -c "rpm -qa 'kernel*' | xargs -r rpm -e" >&2
	rm -rf "${root:?}"/boot/* "${root:?}"/usr/lib/modules/*
	mkdir -p "$root/boot/loader/entries" "$root/boot/grub2" "$root/lab"
	grub-editenv "$root/boot/grub2/grubenv" create
	install -m644 "$VM/key.asc" "$root/etc/pki/rpm-gpg/RPM-GPG-KEY-lab-vm"
	sed -i 's,^gpgkey=.*,&\n       file:///etc/pki/rpm-gpg/RPM-GPG-KEY-lab-vm,' "$root/etc/yum.repos.d/lab.repo"
	repository "$root/srv/repo"
	cp "$VM"/rpms/lab-boot-*.rpm "$VM"/rpms/kernel{,-core,-modules}-"$(krel "$LOCAL_OLD")".rpm "$VM/rpms/kernel-headers-5.10.0-240.22.1.el9.x86_64.rpm" "$root/lab/"
	inside "$root" sh -euc '
		rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-lab-vm
		rpm -i /lab/lab-boot-*.rpm /lab/kernel-headers-*.rpm
		rpm -i /lab/kernel-[0-9]*.rpm /lab/kernel-core-*.rpm /lab/kernel-modules-*.rpm
		dnf -q -y install gcc make perl bzip2 tar elfutils-libelf-devel
		grub2-editenv /boot/grub2/grubenv list
		rm -rf /lab /var/cache/dnf' >&2
	machine_files "$root"
}

# repository FOLDER: the tools of the container lab; of kernels only the newer one, with its kernel-devel
repository() {
	local rpm
	rm -rf "$1"
	mkdir -p "$1"
	for rpm in "$OUTER"/rpms/*.rpm; do
		case ${rpm##*/} in kernel*) ;; *) cp "$rpm" "$1/" ;; esac
	done
	cp "$VM"/rpms/lab-boot-*.rpm "$VM"/rpms/kernel*"$LOCAL_NEW"*.rpm "$1/"
	timeout 120 createrepo_c --quiet --workers 2 "$1" 2>/dev/null
}

# machine_files ROOT: what a machine needs and a container does not
machine_files() {
	local root=$1
	echo '/dev/vda1 / ext4 defaults,noatime 0 0' >"$root/etc/fstab"
	install -m644 "$here/guest/lab-net.service" "$root/etc/systemd/system/"
	mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
	ln -sf ../lab-net.service "$root/etc/systemd/system/sysinit.target.wants/"
	for unit in serial-getty@ttyS0 systemd-sysctl systemd-binfmt; do ln -sf /dev/null "$root/etc/systemd/system/$unit.service"; done
	echo boxdoctor-vm >"$root/etc/hostname"
	printf '127.0.0.1 localhost\n127.0.1.1 boxdoctor-vm\n' >"$root/etc/hosts"
	rm -rf "$root/usr/lib/lab" "$root/etc/ld.so.preload"
	mkdir -p "$VM/hostkey"
	[ -e "$VM/hostkey/ssh_host_ed25519_key" ] || ssh-keygen -q -t ed25519 -N '' -C boxdoctor-vm -f "$VM/hostkey/ssh_host_ed25519_key"
	cp "$VM"/hostkey/ssh_host_* "$root/etc/ssh/"
	chmod 600 "$root/etc/ssh/ssh_host_ed25519_key"
}

# build_healthy: no Guest Additions, nothing wrong
build_healthy() {
	build_root "$VM/tmp/root"
	timed "  disk" disk "$VM/tmp/root" "$VM/healthy.raw"
	rm -rf "$VM/tmp/root"
}

# build_founding: the sick guest of the founding case, with everything that takes long done here, at native speed
build_founding() {
	local root=$VM/tmp/root
	timed "  root" build_root "$root"
	timed "  Guest Additions $GA_OLD" old_additions "$root"
	inside "$root" sh -euc "$(cat "$here/sick/founding")" >&2 || die "sick/founding failed"
	timed "  disk" disk "$root" "$VM/founding.raw"
	rm -rf "$root"
}

# build_current: Guest Additions of the host's version, built for the running kernel: a guest with which all is well
build_current() {
	local root=$VM/tmp/root full
	full=$(krel "$LOCAL_OLD")
	timed "  root" build_root "$root"
	mkdir -p "$root/lab"
	cp "$VM/rpms/kernel-devel-$full.rpm" "$root/lab/"
	inside "$root" sh -euc 'rpm -i /lab/kernel-devel-*.rpm; rm -rf /lab' >&2
	timed "  Guest Additions $GA_NEW" additions "$root" "$GA_NEW" "$full"
	[ -e "$root/usr/lib/modules/$full/misc/vboxsf.ko" ] || die "Guest Additions $GA_NEW built no modules, see $VM/ga-$GA_NEW.log"
	timed "  disk" disk "$root" "$VM/current.raw"
	rm -rf "$root"
}

# old_additions ROOT: Guest Additions built for a kernel that the box once had and no longer has
old_additions() {
	local root=$1 full=$KREL_OLDER m=$1/usr/lib/modules/$KREL_OLDER
	older_tree "$root/usr/src/kernels/$full"
	mkdir -p "$m"
	ln -s "/usr/src/kernels/$full" "$m/build"
	: >"$m/modules.order"
	: >"$m/modules.builtin"
	additions "$root" "$GA_OLD" "$full"
	[ -e "$m/misc/vboxsf.ko" ] || die "Guest Additions $GA_OLD built no modules, see $VM/ga-$GA_OLD.log"
	# the older kernel was removed since, as installonly_limit does; what no package owns stays
	rm -rf "$root/usr/src/kernels/$full" "$m/build" "$m"/modules.*
}

# additions ROOT VERSION RELEASE: the real installer. While it runs, uname(2) is the container lab's stand-in that names RELEASE
# (the outer machine's kernel could not be built for). It cannot load what it built, so its exit status proves nothing here either.
additions() {
	local root=$1 iso rc=0
	iso=$("$lab" iso "$2")
	mkdir -p "$root/lab"
	xorriso -osirrox on -indev "$iso" -extract /VBoxLinuxAdditions.run "$root/lab/ga.run" >/dev/null 2>&1 || die "cannot read $iso"
	cp "$OUTER/el-root/usr/lib/lab/uname.so" "$root/lab/"
	inside "$root" sh -c "echo $3 >/run/lab-kernel; export LD_PRELOAD=/lab/uname.so; sh /lab/ga.run --nox11" >"$VM/ga-$2.log" 2>&1 || rc=$?
	say "  installer of $2 for $3: exit status $rc"
	rm -rf "$root/lab"
}

# older_tree TO: Debian 11's kernel headers, joined into one tree and renamed
older_tree() {
	local to=$1 work=$VM/tmp/older full=${1##*/} main name
	rm -rf "$work"
	mkdir -p "$work" "$to"
	main=$(mirror Debian)
	apt_private "$work"
	echo "deb [target=Packages] $main bullseye main" >"$work/sources.list"
	timeout 300 apt-get "${APT[@]}" update >&2
	name=$(apt-cache "${APT[@]}" depends linux-headers-amd64 | sed -n 's/.*Depends: \(linux-headers-5.10.0-.*-amd64\)$/\1/p' | head -n1)
	[ -n "$name" ] || die "no linux-headers-5.10 in Debian 11"
	(cd "$work" && timeout 300 apt-get "${APT[@]}" download "$name" "${name%-amd64}-common" linux-kbuild-5.10 >&2)
	for name in "$work"/*.deb; do dpkg-deb -x "$name" "$work/x"; done
	cp -a "$work"/x/usr/src/linux-headers-*-common/. "$to/"
	rm -rf "$to/scripts" "$to/tools" "$to/Makefile.lab"
	find "$to/arch" -mindepth 1 -maxdepth 1 -type d ! -name x86 -exec rm -rf {} +
	cp -a --remove-destination "$work"/x/usr/src/linux-headers-*-amd64/. "$to/"
	rm -rf "$to/scripts" "$to/tools"
	cp -aL "$work"/x/usr/lib/linux-kbuild-5.10/{scripts,tools} "$to/"
	cp -a --remove-destination "$work"/x/usr/src/linux-headers-*-common/Makefile "$to/Makefile"
	echo "override KERNELRELEASE = $full" >"$to/.kernelvariables"
	echo "#define UTS_RELEASE \"$full\"" >"$to/include/generated/utsrelease.h"
	echo "$full" >"$to/include/config/kernel.release"
	rm -rf "$work"
}

# disk ROOT IMAGE [GRUB-FOLDER]: MBR, GRUB in the gap before the first partition, one ext4 partition; no loop device, nothing mounted
disk() {
	local root=$1 out=$2 prefix=${3:-/boot/grub2} size=4G grub=/usr/lib/grub/i386-pc core=$VM/tmp/core.img
	rm -f "$out"
	truncate -s "$size" "$out"
	timeout 300 mkfs.ext4 -q -F -L root -m 0 -O ^metadata_csum_seed -E offset=1048576,root_owner=0:0 -d "$root" "$out" 4193280k
	echo '2048,,83,*' | sfdisk -q --wipe never "$out" >&2
	grub-mkimage -O i386-pc -o "$core" -p "(hd0,msdos1)$prefix" biosdisk part_msdos ext2 normal linux loadenv regexp echo test serial terminal
	[ "$(stat -c %s "$core")" -lt $((2047 * 512)) ] || die "GRUB's core does not fit into the gap"
	dd if="$grub/boot.img" of="$out" bs=440 count=1 conv=notrunc status=none # it looks for the core in sector 1, as made
	dd if="$core" of="$out" bs=512 seek=1 conv=notrunc status=none
	rm -f "$core"
}
