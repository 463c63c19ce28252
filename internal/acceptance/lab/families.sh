# shellcheck shell=bash
# Sourced by lab.sh: guests with apt, zypper and pacman. One Debian root has all three; a thin layer for each says
# which distribution it is and brings a repository of small packages. A change of this file rebuilds them alone.

declare -A FAMILY_KERNEL=([deb]=6.1.0-99-amd64 [suse]=6.4.0-150600.23.7-default [arch]=6.9.1-arch1-1)

families_root() {
	el_root # its user's key, and uname.so
	built families-root build_families_root families.sh
}

build_families_root() {
	local root=$LAB/families-root
	# shellcheck disable=SC2016
	sources bookworm | timed "  mmdebstrap" timeout 600 mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty \
		--aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include=systemd-sysv,dbus,openssh-server,sudo,kmod,iproute2,procps,less,hostname,fuseiso,python3,zypper,rpm,pacman-package-manager \
		bookworm "$root" - >&2
	vagrant_user "$root"
	strip_root "$root"
	mkdir -p "$root"/var/lib/apt/lists/partial "$root"/var/cache/apt/archives/partial "$root/vagrant" "$root/etc/rpm" "$root/etc/apt/sources.list.d" "$root/usr/lib/lab"
	: >"$root/etc/apt/sources.list"
	echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros.lab"
	cp "$LAB/el-root/usr/lib/lab/uname.so" "$root/usr/lib/lab/"
	cat >"$root/etc/systemd/system/lab-kernel.service" <<-'EOF'
		[Unit]
		Description=boxdoctor lab: the kernel that uname(2) names (see the case uname)
		DefaultDependencies=no
		Before=sysinit.target
		[Service]
		Type=oneshot
		ExecStart=/bin/cp /usr/lib/lab/kernel /run/lab-kernel
		[Install]
		WantedBy=sysinit.target
	EOF
	mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
	ln -sf /etc/systemd/system/lab-kernel.service "$root/etc/systemd/system/sysinit.target.wants/"
}

# family KIND: the layer of one family, on top of families-root
family() {
	families_root
	built "$1" "build_$1" families.sh
}

# layer KIND: its folder, with a kernel that uname(2) names and that lies in /boot and /lib/modules
layer() {
	local to=$LAB/$1 k=${FAMILY_KERNEL[$1]}
	mkdir -p "$to"/{boot,etc,srv} "$to/usr/lib/lab" "$to/usr/lib/modules/$k/kernel"
	echo "$k" >"$to/usr/lib/lab/kernel"
	echo /usr/lib/lab/uname.so >"$to/etc/ld.so.preload"
	echo "boxdoctor lab: not a kernel, never booted" >"$to/boot/vmlinuz-$k"
	: >"$to/usr/lib/modules/$k/modules.order"
	: >"$to/usr/lib/modules/$k/modules.builtin"
}

# headers_tree FOLDER KERNEL HOME: what a headers package holds; HOME is its place in /usr/src
headers_tree() {
	mkdir -p "$1/usr/src/$3/include/linux" "$1/usr/lib/modules/$2"
	echo '/* boxdoctor lab */' >"$1/usr/src/$3/include/linux/version.h"
	echo 'all:' >"$1/usr/src/$3/Makefile"
	ln -sfn "/usr/src/$3" "$1/usr/lib/modules/$2/build"
}

# tool_tree FOLDER PROGRAM: a program that says its name
tool_tree() {
	mkdir -p "$1/usr/bin"
	printf '#!/bin/sh\necho "%s (boxdoctor lab) 1.0"\n' "$2" >"$1/usr/bin/$2"
	chmod 755 "$1/usr/bin/$2"
}

# mkdeb NAME VERSION FOLDER [FIELD...]: one package in the deb layer's repository
mkdeb() {
	local name=$1 version=$2 tree=$3 out=$LAB/deb/srv/debs
	shift 3
	mkdir -p "$out" "$tree/DEBIAN"
	{
		printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: boxdoctor lab\nSection: kernel\nPriority: optional\n' "$name" "$version"
		[ $# -eq 0 ] || printf '%s\n' "$@"
		printf 'Description: %s of the boxdoctor lab\n' "$name"
	} >"$tree/DEBIAN/control"
	dpkg-deb --root-owner-group -Zgzip -b "$tree" "$out/${name}_${version#*:}_amd64.deb" >/dev/null
	rm -rf "$tree"
}

build_deb() {
	local k=${FAMILY_KERNEL[deb]} t=$LAB/tmp/fam-deb to=$LAB/deb f
	rm -rf "$t"
	layer deb
	headers_tree "$t" "$k" "linux-headers-$k"
	mkdeb "linux-headers-$k" 6.1.99-1 "$t"
	headers_tree "$t" 6.1.0-100-amd64 linux-headers-6.1.0-100-amd64
	mkdeb linux-headers-6.1.0-100-amd64 6.1.100-1 "$t"
	mkdeb linux-headers-amd64 6.1.100-1 "$t" 'Depends: linux-headers-6.1.0-100-amd64'
	for f in gcc make bzip2; do
		tool_tree "$t" "$f"
		if [ "$f" = gcc ]; then mkdeb gcc 4:12.2.0-3 "$t" 'Depends: lab-libc-dev'; else mkdeb "$f" 1:1.0-9 "$t"; fi
	done
	mkdeb lab-libc-dev 1.0 "$t"
	mkdir -p "$t/DEBIAN"
	printf '#!/bin/sh\nsleep 20\n' >"$t/DEBIAN/postinst"
	chmod 755 "$t/DEBIAN/postinst"
	mkdeb lab-slow 1.0 "$t"
	(cd "$to/srv/debs" && for f in *.deb; do
		dpkg-deb -f "$f"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$f" "$(stat -c %s "$f")" "$(sha256sum <"$f" | cut -c1-64)"
	done >Packages)
	mkdir -p "$to/etc/apt"
	echo 'deb [trusted=yes] file:/srv/debs ./' >"$to/etc/apt/sources.list"
}

build_suse() {
	local k=${FAMILY_KERNEL[suse]} t=$LAB/tmp/fam-suse to=$LAB/suse rpms=$LAB/tmp/fam-rpms v=6.4.0 r=150600.23.7.3
	rm -rf "$t" "$rpms"
	mkdir -p "$rpms"/{tmp,rpms}
	layer suse
	rm "$to/boot/vmlinuz-$k" # the rpm owns it
	mkdir -p "$to/usr/lib" "$to/etc/zypp/repos.d" "$to/srv/suse" "$to/var/lib/rpm"
	cat >"$to/usr/lib/os-release" <<-'EOF'
		NAME="openSUSE Leap"
		VERSION="15.6"
		ID="opensuse-leap"
		ID_LIKE="suse opensuse"
		VERSION_ID="15.6"
		PRETTY_NAME="openSUSE Leap 15.6"
	EOF
	printf '[lab]\nname=boxdoctor lab\nenabled=1\nautorefresh=1\nbaseurl=dir:///srv/suse\ngpgcheck=0\n' >"$to/etc/zypp/repos.d/lab.repo"
	mkdir -p "$t/boot"
	echo "boxdoctor lab: not a kernel" >"$t/boot/vmlinuz-$k"
	LAB=$rpms mkrpm kernel-default $v $r "$t" 'Provides: /bin/sh'
	rm -rf "$t"
	headers_tree "$t" "$k" "linux-$v-$r"
	LAB=$rpms mkrpm kernel-default-devel $v $r "$t"
	rm -rf "$t"
	mv "$rpms"/rpms/*.rpm "$to/srv/suse/"
	timeout 120 createrepo_c --quiet "$to/srv/suse" 2>/dev/null
	timeout 60 rpm --root "$to" --dbpath /var/lib/rpm -i --nodeps --justdb "$to"/srv/suse/kernel-default-$v-*.rpm >&2
	echo "boxdoctor lab: not a kernel" >"$to/boot/vmlinuz-$k"
}

# mkpac NAME VERSION FOLDER: one package in the arch layer's repository
mkpac() {
	local name=$1 version=$2 tree=$3 out=$LAB/arch/srv/arch file=$1-$2-x86_64.pkg.tar.gz
	mkdir -p "$out" "$tree"
	printf 'pkgname = %s\npkgbase = %s\npkgver = %s\npkgdesc = boxdoctor lab\nurl = about:blank\nbuilddate = 1\npackager = boxdoctor lab\nsize = 1\narch = x86_64\n' \
		"$name" "$name" "$version" >"$tree/.PKGINFO"
	(cd "$tree" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | tar --no-recursion --owner=0 --group=0 -czf "$out/$file" -T -)
	# its entry in the repository's database (repo-add is part of another Debian package)
	mkdir -p "$LAB/tmp/fam-db/$name-$version"
	printf '%%FILENAME%%\n%s\n\n%%NAME%%\n%s\n\n%%VERSION%%\n%s\n\n%%ARCH%%\nx86_64\n\n%%CSIZE%%\n%s\n\n%%SHA256SUM%%\n%s\n\n' \
		"$file" "$name" "$version" "$(stat -c %s "$out/$file")" "$(sha256sum <"$out/$file" | cut -c1-64)" >"$LAB/tmp/fam-db/$name-$version/desc"
	rm -rf "$tree"
}

build_arch() {
	local k=${FAMILY_KERNEL[arch]} t=$LAB/tmp/fam-arch to=$LAB/arch work=$LAB/tmp/fam-arch-w rc=0
	rm -rf "$t" "$LAB/tmp/fam-db"
	layer arch
	mkdir -p "$to/usr/lib" "$to/var/lib/pacman/sync" "$to/var/lib/pacman/local"
	printf 'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n' >"$to/usr/lib/os-release"
	echo linux >"$to/usr/lib/modules/$k/pkgbase"
	printf '[options]\nHoldPkg = pacman\nArchitecture = x86_64\nSigLevel = Never\n\n[lab]\nServer = file:///srv/arch\n' >"$to/etc/pacman.conf"
	headers_tree "$t" "$k" linux
	mkpac linux-headers 6.9.1.arch1-1 "$t"
	mkpac linux 6.9.1.arch1-1 "$t"
	for f in gcc make; do
		tool_tree "$t" "$f"
		mkpac "$f" 1.0-1 "$t"
	done
	(cd "$LAB/tmp/fam-db" && tar -czf "$to/srv/arch/lab.db" -- *)
	rm -rf "$work" "$LAB/tmp/fam-db"
	mkdir -p "$work/work" "$work/merged"
	mount -t overlay overlay -o "lowerdir=$LAB/families-root,upperdir=$to,workdir=$work/work" "$work/merged"
	chroot "$work/merged" sh -c 'pacman -Sy --noconfirm && pacman -S --noconfirm --dbonly linux' >&2 || rc=$?
	umount "$work/merged"
	rm -rf "$work"
	[ "$rc" -eq 0 ] || die "pacman in the arch layer failed ($rc)"
}
