# shellcheck shell=bash disable=SC2154
# Sourced by vm.sh (which sets here, lab, OUTER and VM): the two small kernels and their packages. A change of what builds and
# packs them or of el-kernel.config builds them anew.

LOCAL_OLD=358.10.2.el9 # installed in the guest and running
LOCAL_NEW=696.10.2.el9 # what the guest's repository offers

# kernel_version: the version of Debian's source package, 6.1.NNN
kernel_version() { dpkg-query -W -f '${Version}\n' linux-source-6.1 | sed 's/-.*//'; }
krel() { echo "$(kernel_version)-$1.x86_64"; }
kernel_recipe() {
	{
		cat "$here/el-kernel.config"
		declare -p LOCAL_OLD LOCAL_NEW
		declare -f build_kernels one_kernel pack_kernel devel_tree
		# shellcheck disable=SC2016
		dpkg-query -W -f '${Package} ${Version}\n' linux-source-6.1 gcc-12
	} | sha256sum | cut -d' ' -f1
}

cmd_kernel() {
	local want
	want=$(kernel_recipe)
	if [ "$(cat "$VM/kernel.stamp" 2>/dev/null)" = "$want" ]; then say "kernel: cached"; return; fi
	rm -f "$VM/kernel.stamp"
	timed kernel build_kernels "$want"
	echo "$want" >"$VM/kernel.stamp"
	rm -rf "$VM/tmp/kernel"
}

# build_kernels RECIPE: one tree, built twice: only the name of the release differs. An interrupted build goes on.
build_kernels() {
	local work=$VM/tmp/kernel tree=$VM/tmp/kernel/linux-source-6.1
	mkdir -p "$VM/tmp"
	if [ "$(cat "$work/recipe" 2>/dev/null)" != "$1" ]; then
		rm -rf "$work"
		mkdir -p "$work"
		timed "  unpack" tar -C "$work" --exclude='*/Documentation/[a-z]*' --exclude='*/tools/testing' -xf /usr/src/linux-source-6.1.tar.xz
		echo "$1" >"$work/recipe"
	fi
	rm -rf "$VM/rpms" "$work/stage"
	mkdir -p "$VM/rpms"
	timed "  build $LOCAL_OLD" one_kernel "$tree" "$LOCAL_OLD"
	timed "  pack $LOCAL_OLD" pack_kernel "$tree" "$LOCAL_OLD" "$work/stage/old"
	timed "  build $LOCAL_NEW" one_kernel "$tree" "$LOCAL_NEW"
	timed "  pack $LOCAL_NEW" pack_kernel "$tree" "$LOCAL_NEW" "$work/stage/new"
}

# one_kernel TREE LOCAL
one_kernel() {
	local make=(nice -n 10 make -s -C "$1" "-j$(($(nproc) + 1))")
	export KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=boxdoctor KBUILD_BUILD_TIMESTAMP='Mon Jan  6 12:00:00 UTC 2025'
	{
		cat "$here/el-kernel.config"
		echo "CONFIG_LOCALVERSION=\"-$2.x86_64\""
	} >"$1/../lab.config"
	{
		timeout 120 "${make[@]}" tinyconfig
		(cd "$1" && timeout 60 ./scripts/kconfig/merge_config.sh -m .config ../lab.config)
		timeout 120 "${make[@]}" olddefconfig
	} >"$1/../config.log" 2>&1 || { tail -n 20 "$1/../config.log" >&2; die "configuring the kernel failed"; }
	wanted_options "$1"
	timeout 2400 "${make[@]}" bzImage modules >"$1/../build.log" 2>&1 || { tail -n 20 "$1/../build.log" >&2; die "building the kernel failed"; }
}

# wanted_options TREE: every option of our file must have come through
wanted_options() {
	local lost
	lost=$(grep '^CONFIG_' "$1/../lab.config" | grep -vxFf "$1/.config" || true)
	[ -z "$lost" ] || die "options that this source does not take: $lost"
}

# pack_kernel TREE LOCAL STAGE: kernel-core, kernel-modules, kernel, kernel-devel, kernel-headers
pack_kernel() {
	local tree=$1 local=$2 stage=$3 v full m
	v=$(kernel_version)
	full=$(krel "$local")
	m=$stage/core/usr/lib/modules/$full
	mkdir -p "$stage/core/boot" "$stage/headers/usr"
	timeout 120 make -s -C "$tree" INSTALL_MOD_PATH="$stage/core/usr" DEPMOD=true modules_install
	timeout 120 make -s -C "$tree" INSTALL_HDR_PATH="$stage/headers/usr" headers_install >/dev/null
	rm -f "$m/build" "$m/source"
	ln -s "/usr/src/kernels/$full" "$m/build" # dangles until kernel-devel comes, as in EL
	ln -s build "$m/source"
	cp "$tree/arch/x86/boot/bzImage" "$m/vmlinuz"
	cp "$tree/.config" "$m/config"
	cp "$tree/System.map" "$m/System.map"
	cp "$m/vmlinuz" "$stage/core/boot/vmlinuz-$full"
	cp "$m/config" "$stage/core/boot/config-$full"
	devel_tree "$tree" "$stage/devel/usr/src/kernels/$full"
	LAB=$VM mkrpm kernel-core "$v" "$local" "$stage/core" "Provides: installonlypkg(kernel)
Provides: kernel-core-uname-r = $full
Provides: kernel-uname-r = $full
Requires: lab-boot
%posttrans
/bin/kernel-install add $full /lib/modules/$full/vmlinuz || exit \$?
%preun
/bin/kernel-install remove $full || exit \$?
%postun
rm -f /lib/modules/$full/modules.*
"
	LAB=$VM mkrpm kernel-modules "$v" "$local" - "Provides: installonlypkg(kernel-module)
Provides: kernel-modules-uname-r = $full
Requires: kernel-uname-r = $full"
	LAB=$VM mkrpm kernel "$v" "$local" - "Provides: installonlypkg(kernel)
Requires: kernel-core-uname-r = $full
Requires: kernel-modules-uname-r = $full"
	LAB=$VM mkrpm kernel-devel "$v" "$local" "$stage/devel" "Provides: installonlypkg(kernel)
Provides: kernel-devel-x86_64 = $v-$local
Provides: kernel-devel-uname-r = $full"
	LAB=$VM mkrpm kernel-headers "$v" "$local" "$stage/headers" "Provides: glibc-kernheaders = 3.0-46"
	rm -rf "$stage"
}

# devel_tree TREE TO: what a module is built against; nothing of it points out of it
devel_tree() {
	mkdir -p "$2"
	(
		cd "$1" || exit
		cp -a --parents Makefile Kbuild .config Module.symvers System.map scripts include arch/x86/include arch/x86/Makefile* arch/x86/entry/syscalls "$2/"
		[ ! -e tools/objtool/objtool ] || cp -a --parents tools/objtool/objtool "$2/"
	)
	find "$2" \( -name '*.o' -o -name '*.o.d' -o -name '.*.cmd' -o -name '*.a' \) -delete
	rm -rf "$2/include/dt-bindings" "$2/scripts/dtc" "$2/scripts/gdb" "$2/scripts/coccinelle"
	touch -r "$2/.config" "$2/include/config/auto.conf" "$2/include/generated/autoconf.h"
}
