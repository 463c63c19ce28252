# shellcheck shell=bash disable=SC2154
# Sourced by vm.sh: the guest with Debian's stock kernel, whose own vboxguest module stands before Oracle's.

stock_recipe() { { cat "$here/stock.sh" "$here/image.sh" "$here/guest/lab-net.service"; cat "$OUTER/key.pub"; } | sha256sum | cut -d' ' -f1; }

# build_stock: Debian 12 with linux-image-amd64; Guest Additions 7.0.20 by their real installer, without kernel headers: it
# ends with 0 and has built nothing (S15). The headers are in a local archive in the guest.
build_stock() {
	local root=$VM/tmp/stock kernel
	rm -rf "$root"
	mkdir -p "$VM/tmp"
	# shellcheck disable=SC2016
	LAB=$VM sources bookworm | timed "  mmdebstrap" timeout 600 mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty \
		--aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"' \
		--essential-hook='printf "MODULES=list\nCOMPRESS=gzip\n" >"$1/etc/initramfs-tools/conf.d/lab"' \
		--essential-hook='printf "virtio_pci\nvirtio_blk\nvirtio_net\next4\n" >"$1/usr/share/initramfs-tools/modules.d/lab"' \
		--include=systemd-sysv,dbus,openssh-server,sudo,kmod,iproute2,procps,less,hostname,linux-image-amd64,gcc,make,perl,bzip2 \
		--customize-hook='rm -f "$1"/var/cache/apt/archives/*.deb; APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq -y --no-install-recommends --download-only install linux-headers-amd64 >/dev/null' \
		--customize-hook='mkdir -p "$1/srv/apt" && mv "$1"/var/cache/apt/archives/*.deb "$1/srv/apt/"' \
		bookworm "$root" - >&2
	(cd "$root/srv/apt" && dpkg-scanpackages -m . /dev/null >Packages 2>/dev/null)
	kernel=$(basename "$root"/boot/vmlinuz-*)
	kernel=${kernel#vmlinuz-}
	LAB=$OUTER vagrant_user "$root"
	LAB=$OUTER strip_root "$root"
	machine_files "$root"
	mkdir -p "$root/boot/grub" "$root/etc/apt"
	echo 'deb [trusted=yes] file:/srv/apt ./' >"$root/etc/apt/sources.list"
	rm -rf "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists
	mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
	cat >"$root/boot/grub/grub.cfg" <<-'EOF'
		# The VM lab's: Debian's links name the newest kernel.
		set timeout=0
		serial --unit=0 --speed=115200
		terminal_output serial
		menuentry "Debian GNU/Linux" {
			linux /vmlinuz root=/dev/vda1 ro console=ttyS0 net.ifnames=0 mitigations=off panic=5 quiet
			initrd /initrd.img
		}
	EOF
	timed "  Guest Additions $GA_NEW" additions "$root" "$GA_NEW" "$kernel"
	timed "  disk" disk "$root" "$VM/stock.raw" /boot/grub
	rm -rf "$root"
}
