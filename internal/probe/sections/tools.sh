# shellcheck shell=sh
for t in gcc make perl bzip2 tar; do
	tag tool "$t $(command -v "$t" 2>/dev/null)"
done
! have gcc || tag gcc "$(lim 5 gcc --version 2>/dev/null)"
for f in /usr/include/gelf.h /usr/include/*/gelf.h; do
	[ ! -e "$f" ] || tag gelf "$f"
done
for f in /usr/bin/gcc-[0-9]* /opt/rh/gcc-toolset-*/root/usr/bin/gcc /opt/rh/devtoolset-*/root/usr/bin/gcc; do
	[ ! -x "$f" ] || tag compiler "$f"
done
for t in clang ld.lld; do
	! have "$t" || tag compiler "$(command -v "$t")"
done
if have gcc; then
	d=$(lim 5 gcc -print-file-name=plugin 2>/dev/null)
	[ ! -e "$d/include/gcc-plugin.h" ] || tag pluginheaders yes
fi
# yum and dnf are programs in Python: who replaces the guest's Python takes its package manager away
case $BD_MANAGER in
yum | dnf)
	p=$(command -v "$BD_MANAGER" 2>/dev/null)
	[ -z "$p" ] || p=$(readlink -f "$p")
	line=
	if [ -n "$p" ] && [ -r "$p" ]; then
		tag python "$p"
		line=$(head -c 200 "$p" | head -n 1)
	fi
	case $line in
	'#!'*python*)
		line=${line#??}
		line=${line# }
		tag interpreter "${line%% *}"
		if [ -x "${line%% *}" ]; then
			tag resolved "$(readlink -f "${line%% *}")"
			tag pythonversion "$(lim 5 "${line%% *}" --version 2>&1)"
		fi
		;;
	esac
	;;
esac
v=$(kernel_config "$BD_KERNEL")
if [ -n "$v" ]; then
	grep -e '^CONFIG_UNWINDER_ORC=y' -e '^CONFIG_STACK_VALIDATION=y' -e '^CONFIG_OBJTOOL=y' "$v" | sed 's/^/=config /'
	if grep -q -e '^CONFIG_GCC_PLUGIN_[A-Z_]*=y' -e '^CONFIG_PAX_.*_PLUGIN=y' "$v"; then tag needsplugins yes; fi
fi
exit 0
