# shellcheck shell=sh
for t in gcc make perl bzip2 tar; do
	tag tool "$t $(command -v "$t" 2>/dev/null)"
done
! have gcc || tag gcc "$(lim 5 gcc --version 2>/dev/null)"
for f in /usr/include/gelf.h /usr/include/*/gelf.h; do
	[ ! -e "$f" ] || tag gelf "$f"
done
v=$(kernel_config "$BD_KERNEL")
if [ -n "$v" ]; then
	grep -e '^CONFIG_UNWINDER_ORC=y' -e '^CONFIG_STACK_VALIDATION=y' -e '^CONFIG_OBJTOOL=y' "$v" | sed 's/^/=config /'
fi
exit 0
