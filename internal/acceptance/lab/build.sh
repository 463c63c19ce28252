# shellcheck shell=bash
# Sourced by lab.sh: what is built once and kept. A change of this file (or of uname.c) rebuilds all of it.

# Kernel releases of the lab. The API level is that of Debian 12's kernel headers (6.1).
KREL_OLD=6.1.0-358.10.2.el9 # installed in the guest
KREL_NEW=6.1.0-696.10.2.el9 # what the repository offers

declare -A ISO_SUITE=([6.1.22]=bullseye [7.0.6]=bookworm [7.0.20]=trixie)
declare -A ISO_SHA=(
	[6.1.22]=bffc316a7b8d5ed56d830e9f6aef02b4e5ffc28674032142e96ffbedd905f8c9
	[7.0.6]=21e0f407d2a4f5c286084a70718aa20235ea75969eca0cab6cfab43a3499a010
	[7.0.20]=4c7523fa6d17436e3b7788f62956674270572cfefa340d03111b85f8517d5981
)

# mirror LABEL: the base URI that this machine's own apt uses for the archive with that label
mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" | sed 's,/$,,' | sort -u | head -n1
}

# apt_private DIR: an apt of our own in DIR (state, cache, sources.list); prints nothing, sets APT
apt_private() {
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	[ -e "$1/status" ] || : >"$1/status"
	APT=(-q -oDir::Etc::sourcelist="$1/sources.list" -oDir::Etc::sourceparts=/nonexistent
		-oDir::State::Lists="$1/lists" -oDir::State::status="$1/status" -oDir::Cache="$1/cache"
		-oAcquire::Check-Valid-Until=false -oAcquire::Languages=none -oAPT::Sandbox::User=root -oAcquire::Retries=2)
}

cmd_iso() {
	local version=${1:?usage: lab.sh iso VERSION} suite main out work deb
	suite=${ISO_SUITE[$version]:-}
	[ -n "$suite" ] || die "unknown version $version (known: ${!ISO_SUITE[*]})"
	out=$LAB/iso/VBoxGuestAdditions_$version.iso
	if ! echo "${ISO_SHA[$version]}  $out" | sha256sum --status -c - 2>/dev/null; then
		main=$(mirror Debian)
		[ -n "$main" ] || die "no Debian archive in this machine's apt sources (apt-get update first?)"
		mkdir -p "$LAB/iso"
		work=$LAB/iso/apt-$suite
		apt_private "$work"
		echo "deb $main $suite non-free" >"$work/sources.list"
		timeout 300 apt-get "${APT[@]}" update >&2
		(cd "$work" && rm -f ./*.deb && timeout 300 apt-get "${APT[@]}" download "virtualbox-guest-additions-iso" >&2)
		deb=$(ls "$work"/*.deb)
		dpkg-deb --fsys-tarfile "$deb" | tar -xOf - ./usr/share/virtualbox/VBoxGuestAdditions.iso >"$out.part"
		echo "${ISO_SHA[$version]}  $out.part" | sha256sum --status -c - || die "$version: checksum differs: $(sha256sum <"$out.part")"
		mv "$out.part" "$out"
		rm -rf "$work"
	fi
	echo "$out"
}

# mkrpm NAME VERSION RELEASE STAGE [SPEC LINES]: one binary rpm out of the files in STAGE, into $LAB/rpms
mkrpm() {
	local name=$1 version=$2 release=$3 stage=$4 extra=${5:-} top arch=x86_64
	top=$(mktemp -d "$LAB/tmp/rpm-$name.XXXX")
	[ -d "$stage" ] || { stage=$top/empty; mkdir "$stage"; }
	case $extra in *BuildArch:*) arch=noarch ;; esac
	# folders are left to nobody, but for those that only this package fills
	(cd "$stage" && find . -type d \( -path './usr/src/kernels/*' -o -path './usr/lib/modules/*' \) -printf '%%dir "/%P"\n') >"$top/dirs"
	(cd "$stage" && find . ! -type d -printf '"/%P"\n') | sed 's/%/%%/g' | cat "$top/dirs" - >"$top/files"
	cat >"$top/p.spec" <<-EOF
		%global debug_package %{nil}
		%global __os_install_post %{nil}
		%global _build_id_links none
		%global _binary_payload w1.zstdio
		%global _use_internal_dependency_generator 0
		%global __spec_install_pre %{nil}
		Name: $name
		Version: $version
		Release: $release
		Summary: $name (boxdoctor lab; files of the Debian packages of the same purpose)
		License: see Debian
		AutoReqProv: no
		$extra
		%description
		Made for the tests of boxdoctor.
		%files
		$(cat "$top/files")
	EOF
	timeout 300 rpmbuild -bb --quiet --target "$arch" --define "_topdir $top" --buildroot "$stage" \
		--noclean --nodebuginfo --define "_rpmdir $LAB/rpms" --define "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" \
		"$top/p.spec" >"$top/log" 2>&1 || { cat "$top/log" >&2; die "rpmbuild $name failed"; }
	rm -rf "$top"
}

# unpack FOLDER DEB...: their files, with merged /usr and without documentation
unpack() {
	local to=$1 deb d
	shift
	mkdir -p "$to"
	for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -C "$to" --keep-directory-symlink -xf -; done
	for d in bin sbin lib lib64; do
		[ -d "$to/$d" ] || continue
		mkdir -p "$to/usr/$d"
		cp -al "$to/$d/." "$to/usr/$d/"
		rm -rf "${to:?}/$d"
	done
	rm -rf "$to"/usr/share/{doc,man,info,locale,lintian,bug,gcc,gdb,zsh,bash-completion}
}

# which rpm takes the files of a Debian package ("-": nobody needs it here)
rpm_of() {
	case $1 in
	make | bzip2) echo "$1" ;;
	binutils* | libbinutils | libctf* | libgprofng* | libjansson*) echo binutils ;;
	cpp | cpp-[0-9]*) echo cpp ;;
	libgmp* | libmpc* | libmpfr* | libisl*) echo libmpc ;;
	libc6-dev | libc-dev-bin | libcrypt-dev | rpcsvc-proto | libtirpc* | libnsl*) echo glibc-devel ;;
	linux-libc-dev) echo kernel-headers ;;
	linux-headers-* | linux-kbuild-* | linux-compiler-*) echo kernel-devel ;;
	libelf-dev) echo elfutils-libelf-devel ;;
	zlib1g-dev) echo zlib-devel ;;
	libasan* | liblsan* | libtsan* | libubsan* | libitm* | libquadmath* | libatomic* | manpages* | dpkg-dev | libdpkg-perl | pahole | dwarves) echo - ;;
	*) echo gcc ;;
	esac
}

# kernel_tree STAGE RELEASE.ARCH: the three Debian folders as one tree, as kernel-devel has it
kernel_tree() {
	local stage=$1 full=$2 deb=$LAB/tmp/deb/kernel-devel arch common kbuild to
	arch=$(find "$deb/usr/src" -maxdepth 1 -name 'linux-headers-*-amd64')
	common=$(find "$deb/usr/src" -maxdepth 1 -name 'linux-headers-*-common')
	kbuild=$(find "$deb/usr/lib" -maxdepth 1 -name 'linux-kbuild-*')
	to=$stage/usr/src/kernels/$full
	mkdir -p "$to"
	cp -a "$common/." "$to/"
	rm -f "$to/scripts" "$to/tools"
	cp -a "$arch/." "$to/" 2>/dev/null || cp -a --remove-destination "$arch/." "$to/"
	rm -rf "$to/scripts" "$to/tools"
	cp -aL "$kbuild/scripts" "$kbuild/tools" "$to/"
	cp -a --remove-destination "$common/Makefile" "$to/Makefile"
	find "$to/arch" -mindepth 1 -maxdepth 1 -type d ! -name x86 -exec rm -rf {} +
	echo "override KERNELRELEASE = $full" >"$to/.kernelvariables"
	rm -f "$to/include/generated/utsrelease.h" "$to/include/config/kernel.release"
	echo "#define UTS_RELEASE \"$full\"" >"$to/include/generated/utsrelease.h"
	echo "$full" >"$to/include/config/kernel.release"
}

kernel_rpms() {
	local rel=$1 v=${1%%-*} r=${1#*-} full=$1.x86_64 stage=$LAB/tmp/k-$1 deb=$LAB/tmp/deb m
	# kernel-core: what is installed; the build link belongs to it and dangles until kernel-devel comes
	m=$stage/core/usr/lib/modules/$full
	mkdir -p "$m/kernel" "$stage/core/boot"
	ln -s "/usr/src/kernels/$full" "$m/build"
	ln -s build "$m/source"
	: >"$m/modules.order"
	: >"$m/modules.builtin"
	: >"$m/modules.builtin.modinfo"
	cp "$deb"/kernel-devel/usr/src/linux-headers-*-amd64/.config "$m/config"
	echo "boxdoctor lab: not a kernel, never booted ($full)" >"$m/vmlinuz"
	cp "$m/vmlinuz" "$stage/core/boot/vmlinuz-$full"
	cp "$m/config" "$stage/core/boot/config-$full"
	mkrpm kernel-core "$v" "$r" "$stage/core" "Provides: installonlypkg(kernel)
Provides: kernel-core-uname-r = $full
Provides: kernel-uname-r = $full
%posttrans
/sbin/depmod -a $full || :
mkdir -p /boot/loader/entries /boot/grub2
id=\$(cat /etc/machine-id 2>/dev/null)
printf 'title Rocky Linux ($full) 9.6 (Blue Onyx)\nversion $full\nlinux /vmlinuz-$full\noptions root=/dev/vda1 ro\ngrub_class rocky\n' >/boot/loader/entries/\$id-$full.conf
{ printf '# GRUB Environment Block\nsaved_entry=%%s\n' \$id-$full; head -c 1024 /dev/zero | tr '\0' '#'; } | head -c 1024 >/boot/grub2/grubenv
%postun
rm -f /boot/loader/entries/*-$full.conf
rm -rf /lib/modules/$full/modules.*
"
	mkrpm kernel-modules "$v" "$r" - "Provides: installonlypkg(kernel-module)
Provides: kernel-modules-uname-r = $full
Requires: kernel-uname-r = $full"
	mkrpm kernel "$v" "$r" - "Provides: installonlypkg(kernel)
Requires: kernel-core-uname-r = $full
Requires: kernel-modules-uname-r = $full"
	kernel_tree "$stage/devel" "$full"
	mkrpm kernel-devel "$v" "$r" "$stage/devel" "Provides: installonlypkg(kernel)
Provides: kernel-devel-x86_64 = $rel
Provides: kernel-devel-uname-r = $full"
	mkrpm kernel-headers "$v" "$r" "$deb/kernel-headers" "Provides: glibc-kernheaders = 3.0-46"
}

tool_rpms() {
	local deb=$LAB/tmp/deb e=1.el9 gcc
	gcc=$(cat "$deb/gcc.version")
	mkrpm make "$(cat "$deb/make.version")" $e "$deb/make"
	mkrpm bzip2 "$(cat "$deb/bzip2.version")" $e "$deb/bzip2"
	mkrpm tar "$(cat "$deb/tar.version")" $e "$deb/tar"
	mkrpm perl-interpreter "$(cat "$deb/perl-base.version")" $e "$deb/perl-base"
	mkrpm perl "$(cat "$deb/perl-base.version")" $e - "Requires: perl-interpreter"
	mkrpm zlib-devel "$(cat "$deb/zlib1g-dev.version")" $e "$deb/zlib-devel"
	mkrpm elfutils-libelf-devel "$(cat "$deb/libelf-dev.version")" $e "$deb/elfutils-libelf-devel" "Requires: zlib-devel"
	mkrpm libmpc "$gcc" $e "$deb/libmpc"
	mkrpm binutils "$(cat "$deb/binutils.version")" $e "$deb/binutils"
	mkrpm glibc-devel "$(cat "$deb/libc6-dev.version")" $e "$deb/glibc-devel" "Requires: kernel-headers >= 2.2.1"
	mkrpm cpp "$gcc" $e "$deb/cpp" "Requires: libmpc"
	mkrpm gcc "$gcc" $e "$deb/gcc" "Requires: cpp = $gcc-$e
Requires: binutils
Requires: glibc-devel"
}

# lab_rpms: a package that takes long to install, so that a package manager is really busy
lab_rpms() {
	mkrpm lab-slow 1 1.el9 - "BuildArch: noarch
%post
sleep 20"
}

release_rpm() {
	local stage=$LAB/tmp/release
	mkdir -p "$stage/usr/lib" "$stage/etc/yum.repos.d" "$stage/etc/pki/rpm-gpg"
	cat >"$stage/usr/lib/os-release" <<-'EOF'
		NAME="Rocky Linux"
		VERSION="9.6 (Blue Onyx)"
		ID="rocky"
		ID_LIKE="rhel centos fedora"
		VERSION_ID="9.6"
		PLATFORM_ID="platform:el9"
		PRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"
		ANSI_COLOR="0;32"
		LOGO="fedora-logo-icon"
		CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
		HOME_URL="https://rockylinux.org/"
		VENDOR_NAME="RESF"
		BUG_REPORT_URL="https://bugs.rockylinux.org/"
		SUPPORT_END="2032-05-31"
	EOF
	echo "Rocky Linux release 9.6 (Blue Onyx)" >"$stage/etc/rocky-release"
	ln -s rocky-release "$stage/etc/redhat-release"
	ln -s rocky-release "$stage/etc/system-release"
	cat >"$stage/etc/yum.repos.d/lab.repo" <<-'EOF'
		[baseos]
		name=boxdoctor lab $releasever - BaseOS
		baseurl=file:///srv/repo
		gpgcheck=1
		enabled=1
		gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-lab
	EOF
	cp "$LAB/tmp/key.asc" "$stage/etc/pki/rpm-gpg/RPM-GPG-KEY-lab"
	mkrpm rocky-release 9.6 1.8.el9 "$stage" "BuildArch: noarch
Provides: system-release = 9.6-1.8.el9
Provides: system-release(releasever) = 9
Provides: redhat-release = 9.6-1.8.el9
Provides: /bin/sh"
}

sign_rpms() {
	timeout 120 rpmsign --define "_gpg_name boxdoctor lab" --define "__gpg $(command -v gpg)" --addsign "$LAB"/rpms/*.rpm >/dev/null 2>"$LAB/tmp/sign.log" ||
		{ cat "$LAB/tmp/sign.log" >&2; die "signing failed"; }
}

# sources SUITE: sources.list lines for a root
sources() {
	local main security
	main=$(mirror Debian)
	security=$(mirror Debian-Security)
	[ -n "$main" ] || die "no Debian archive in this machine's apt sources (apt-get update first?)"
	echo "deb $main $1 main"
	case $1 in sid) return ;; esac
	[ -z "$security" ] || echo "deb $security $1-security main"
}

# strip_root ROOT: what no guest needs, and what keeps the boot short
strip_root() {
	local root=$1 unit
	rm -rf "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt "$root"/var/lib/apt "$root"/usr/share/{doc,man,info,locale,lintian}
	for unit in systemd-firstboot systemd-timesyncd systemd-resolved systemd-networkd console-getty getty@ systemd-pstore e2scrub_reap apt-daily apt-daily-upgrade dpkg-db-backup; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit.service"
	done
	for unit in apt-daily apt-daily-upgrade dpkg-db-backup dnf-makecache fstrim e2scrub_all; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit.timer"
	done
	ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
	rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
	: >"$root/etc/resolv.conf"
	: >"$root/etc/fstab"
	od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$root/etc/machine-id"
	echo >>"$root/etc/machine-id"
}

# undebian ROOT: from here on it is no Debian any more
undebian() {
	local root=$1
	rm -rf "$root"/etc/{apt,dpkg,debian_version,os-release,issue} "$root"/var/lib/dpkg "$root"/usr/lib/{apt,dpkg,os-release} "$root"/usr/share/{dpkg,perl5,debconf}
	find "$root"/usr/{bin,sbin} \( -name 'apt*' -o -name 'dpkg*' -o -name 'deb-systemd-*' -o -name 'debconf*' -o -name 'update-alternatives' \) -delete
	ln -s ../usr/lib/os-release "$root/etc/os-release"
}

# vagrant_user ROOT: the user every Vagrant box has, with this lab's key
vagrant_user() {
	local root=$1
	[ -e "$LAB/key" ] || ssh-keygen -q -t ed25519 -N '' -C boxdoctor-lab -f "$LAB/key"
	chroot "$root" useradd -m -u 1000 -U -s /bin/bash vagrant
	echo vagrant:vagrant | chroot "$root" chpasswd
	chroot "$root" usermod -L root
	install -d -m700 -o1000 -g1000 "$root/home/vagrant/.ssh"
	install -m600 -o1000 -g1000 "$LAB/key.pub" "$root/home/vagrant/.ssh/authorized_keys"
	echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
	chmod 440 "$root/etc/sudoers.d/vagrant"
	printf 'PermitRootLogin no\nUseDNS no\n' >"$root/etc/ssh/sshd_config.d/vagrant.conf"
}
el_root() {
	built el-root build_el_root
}

build_el_root() {
	local root=$LAB/el-root d name
	umount "$LAB/tmp/so/merged" 2>/dev/null || true # of a build that was cut off
	rm -rf "$LAB/tmp" "$LAB/rpms"
	mkdir -p "$LAB/tmp/debs" "$LAB/rpms"
	# shellcheck disable=SC2016
	sources bookworm | timed "  mmdebstrap" timeout 400 mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty \
		--aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include=systemd-sysv,dbus,openssh-server,sudo,rpm,dnf,dnf-plugins-core,kmod,iproute2,procps,less,hostname,fuseiso \
		--customize-hook='rm -f "$1"/var/cache/apt/archives/*.deb; APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq -y --no-install-recommends --download-only install gcc make bzip2 libelf-dev linux-headers-amd64 >/dev/null' \
		--customize-hook='mv "$1"/var/cache/apt/archives/*.deb '"$LAB/tmp/debs/" \
		bookworm "$root" - >&2
	timed "  unpack" unpack_debs
	uname_so
	move_out tar
	move_out perl-base
	if [ -e "$root/var/lib/dpkg/info/bzip2.list" ]; then move_out bzip2; fi
	export GNUPGHOME=$LAB/tmp/gnupg
	mkdir -m700 "$GNUPGHOME"
	timeout 60 gpg --batch --quiet --passphrase '' --quick-gen-key 'boxdoctor lab' rsa2048 sign never 2>/dev/null
	gpg --armor --export >"$LAB/tmp/key.asc"
	release_rpm
	lab_rpms
	timed "  rpms: kernels" both_kernels
	timed "  rpms: tools" tool_rpms
	timed "  rpms: sign" sign_rpms
	timeout 20 gpgconf --kill all
	vagrant_user "$root"
	strip_root "$root"
	undebian "$root"
	ln -sf dnf-3 "$root/usr/bin/yum"
	ln -sf dnf/dnf.conf "$root/etc/yum.conf"
	mkdir -p "$root/usr/src/kernels" "$root/vagrant" "$root/etc/rpm"
	printf '[main]\nenabled = 1\nlocklist = /etc/dnf/plugins/versionlock.list\n' >"$root/etc/dnf/plugins/versionlock.conf"
	: >"$root/etc/dnf/plugins/versionlock.list"
	printf '[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n' >"$root/etc/dnf/dnf.conf"
	# the plugins that EL does not install along with dnf-plugins-core
	(cd "$root/usr/lib/python3/dist-packages/dnf-plugins" && rm -f local.py leaves.py show_leaves.py post-transaction-actions.py)
	# Debian keeps rpm's database in the caller's home
	echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros.lab"
	rpm --root "$root" --dbpath /var/lib/rpm --import "$LAB/tmp/key.asc"
	(cd "$LAB/rpms" && timeout 120 rpm --root "$root" --dbpath /var/lib/rpm -i rocky-release-*.rpm tar-*.rpm {kernel,kernel-core,kernel-modules}-"$KREL_OLD".x86_64.rpm) >&2
	for d in tmp/deb tmp/debs; do rm -rf "${LAB:?}/$d"; done
	rm -rf "$LAB"/tmp/k-*
}

# uname_so: compile uname.c with the compiler that was unpacked for the rpms, on top of the root
uname_so() {
	local w=$LAB/tmp/so d=$LAB/tmp/deb
	mkdir -p "$w/work" "$w/upper" "$w/merged"
	mount -t overlay overlay -o "lowerdir=$d/gcc:$d/cpp:$d/binutils:$d/libmpc:$d/glibc-devel:$d/kernel-headers:$LAB/el-root,upperdir=$w/upper,workdir=$w/work" "$w/merged"
	mkdir -p "$w/merged/usr/lib/lab"
	cp "$here/uname.c" "$w/merged/"
	timeout 60 chroot "$w/merged" gcc -O2 -Wall -shared -fPIC -o /usr/lib/lab/uname.so /uname.c || { umount "$w/merged"; die "cannot compile uname.c"; }
	umount "$w/merged"
	cp -r "$w/upper/usr/lib/lab" "$LAB/el-root/usr/lib/"
}

both_kernels() {
	kernel_rpms "$KREL_OLD" &
	local old=$!
	kernel_rpms "$KREL_NEW"
	wait "$old"
}

unpack_debs() {
	local deb name to
	for deb in "$LAB"/tmp/debs/*.deb; do
		name=$(dpkg-deb -f "$deb" Package)
		to=$(rpm_of "$name")
		[ "$to" != - ] || continue
		plain_version "$(dpkg-deb -f "$deb" Version)" >"$LAB/tmp/deb-$name.version"
		unpack "$LAB/tmp/deb/$to" "$deb"
	done
	for name in "$LAB"/tmp/deb-*.version; do mv "$name" "$LAB/tmp/deb/${name##*/deb-}"; done
	# libraries of the sanitizers: 40 MB that no kernel module needs
	find "$LAB/tmp/deb/gcc" -name 'lib*san*' -delete
}
# plain_version DEBIAN-VERSION: its upstream part
plain_version() { sed -E 's/^[0-9]+://; s/-[^-]*$//; s/[+~].*//' <<<"$1"; }

# move_out PACKAGE: take an installed Debian package's files out of the root, to be packed as rpm
move_out() {
	local name=$1 root=$LAB/el-root to=$LAB/tmp/deb/$1 f info=$LAB/el-root/var/lib/dpkg/info/$1.list
	mkdir -p "$to"
	chroot "$root" dpkg-query -W -f '${Version}\n' "$name" | { read -r f; plain_version "$f"; } >"$LAB/tmp/deb/$name.version"
	while read -r f; do
		case $f in /usr/share/doc/* | /usr/share/man/*) continue ;; /bin/* | /sbin/* | /lib/*) f=/usr$f ;; esac
		{ [ -e "$root$f" ] || [ -L "$root$f" ]; } && [ ! -d "$root$f" ] || continue
		mkdir -p "$to${f%/*}"
		mv "$root$f" "$to$f"
	done <"$info"
}

# variant NAME KERNEL-RPMS-REGEX: one repository of hard links into the rpm folder: the tools and these kernel packages
variant() {
	local to=$LAB/repo/srv/repos/$1 rpm
	mkdir -p "$to"
	for rpm in "$LAB"/rpms/*.rpm; do
		case ${rpm##*/} in
		kernel*) [[ ${rpm##*/} =~ $2 ]] || continue ;;
		esac
		ln "$rpm" "$to/"
	done
	timeout 120 createrepo_c --quiet --workers 2 "$to" 2>/dev/null
}

repo() {
	el_root
	built repo build_repo
}

build_repo() {
	mkdir -p "$LAB/repo/srv/repos"
	variant behind "$KREL_NEW"
	variant both .
	variant nodevel "^kernel-headers-$KREL_NEW"
	ln -s repos/behind "$LAB/repo/srv/repo"
}

# el_tools: a thin layer over el-root, made by the guest's own dnf
el_tools() {
	repo
	built el-tools build_el_tools
}

build_el_tools() {
	local work=$LAB/tmp/el-tools rc=0
	umount "$work/merged" 2>/dev/null || true
	rm -rf "$work"
	mkdir -p "$LAB/el-tools" "$work/work" "$work/merged"
	mount -t overlay overlay -o "lowerdir=$LAB/repo:$LAB/el-root,upperdir=$LAB/el-tools,workdir=$work/work" "$work/merged"
	ln -sfn repos/both "$work/merged/srv/repo"
	timeout 200 systemd-nspawn --quiet --register=no --keep-unit --private-network --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
		-D "$work/merged" dnf -q -y install gcc make perl bzip2 tar elfutils-libelf-devel "kernel-devel-$KREL_OLD" </dev/null >&2 || rc=$?
	ln -sfn repos/behind "$work/merged/srv/repo"
	rm -rf "$work/merged/var/cache/dnf"
	umount "$work/merged"
	rm -rf "$work"
	[ "$rc" -eq 0 ] || die "dnf in el-tools failed ($rc)"
}

# dnf5_root: the same shape with dnf5, from Debian sid; only for what dnf5 itself does
dnf5_root() {
	repo
	built dnf5-root build_dnf5_root
}

build_dnf5_root() {
	local root=$LAB/dnf5-root f
	# shellcheck disable=SC2016
	sources sid | timed "  mmdebstrap sid" timeout 400 mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include=systemd-sysv,dbus,openssh-server,sudo,rpm,dnf5,kmod,iproute2,procps,less,hostname \
		sid "$root" - >&2
	while read -r f; do
		{ [ -e "$root$f" ] || [ -L "$root$f" ]; } && [ ! -d "$root$f" ] || continue
		rm -f "$root$f"
	done <"$root/var/lib/dpkg/info/perl-base.list"
	vagrant_user "$root"
	strip_root "$root"
	undebian "$root"
	ln -sf dnf5 "$root/usr/bin/dnf"
	ln -sf dnf5 "$root/usr/bin/yum"
	mkdir -p "$root/etc/dnf" "$root/etc/rpm" "$root/usr/src/kernels" "$root/vagrant"
	cp -r "$LAB/el-root/usr/lib/lab" "$root/usr/lib/"
	rm -f "$root/etc/dnf/libdnf5-plugins/local.conf" "$root"/usr/lib/*/libdnf5/plugins/local.so # not installed by default elsewhere
	echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros.lab"
	cp "$LAB/el-root/usr/lib/os-release" "$root/usr/lib/os-release"
	rpm --root "$root" --dbpath /var/lib/rpm --import "$LAB/el-root/etc/pki/rpm-gpg/RPM-GPG-KEY-lab"
	(cd "$LAB/rpms" && timeout 120 rpm --root "$root" --dbpath /var/lib/rpm -i rocky-release-*.rpm {kernel,kernel-core,kernel-modules}-"$KREL_OLD".x86_64.rpm) >&2
	sed -i 's/^NAME=.*/NAME="Fedora Linux"/; s/^ID=.*/ID=fedora/; /^ID_LIKE/d; s/^VERSION_ID=.*/VERSION_ID=43/; s/^VERSION=.*/VERSION="43 (Lab)"/; s/^PRETTY_NAME=.*/PRETTY_NAME="Fedora Linux 43 (boxdoctor lab)"/' "$root/usr/lib/os-release"
}
