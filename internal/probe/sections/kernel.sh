# shellcheck shell=sh
tag running "$BD_KERNEL"
boot_images | sed 's/^/=image /'
v=$(grubby_default)
if [ -n "$v" ]; then
	tag grubby "$v"
else
	# Without grubby: what the boot loader itself reads. Most of it only root may read.
	for f in /boot/grub2/grubenv /boot/grub/grubenv /boot/efi/EFI/*/grubenv; do
		asroot 5 test -r "$f" 2>/dev/null && block grubenv asroot 5 cat "$f"
	done
	for f in /boot/grub/grub.conf /boot/efi/EFI/redhat/grub.conf; do
		asroot 5 test -r "$f" 2>/dev/null && block grubconf asroot 5 cat "$f"
	done
	if asroot 5 test -d /boot/loader/entries 2>/dev/null; then
		block bls asroot 5 find /boot/loader/entries -name '*.conf' -exec grep -H -e '^version' -e '^linux' '{}' ';'
	fi
	if [ -e /boot/grub/grub.cfg ]; then
		v=$(sed -n 's/^GRUB_DEFAULT=//p' /etc/default/grub 2>/dev/null)
		tag grubdefault "$v"
		block grubcfg asroot 5 sed -n '/^[[:space:]]*linux.*vmlinuz-/{p;q;}' /boot/grub/grub.cfg
	fi
fi
for d in /lib/modules/*; do
	[ -d "$d" ] || continue
	tag tree "${d##*/}"
	if [ -d "$d/kernel" ] || [ -e "$d/modules.order" ] || [ -e "$d/modules.builtin" ]; then tag modules yes; fi
	if [ -L "$d/build" ]; then
		tag build "$(readlink "$d/build")"
	elif [ -e "$d/build" ]; then
		tag build "$d/build"
	fi
	[ ! -d "$d/build/" ] || tag buildok yes
	for f in "$d/build/include/"*; do
		[ ! -e "$f" ] || tag headers yes
		break
	done
done
[ ! -d /lib/modules ] || block vbox find /lib/modules/ -name 'vbox*.ko*'
if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then tag rebootrequired yes; fi
v=$(kernel_config "$BD_KERNEL")
[ -z "$v" ] || tag compiler "$(grep '^CONFIG_CC_VERSION_TEXT=' "$v")"
exit 0
