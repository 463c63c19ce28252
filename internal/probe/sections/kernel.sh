# shellcheck shell=sh
tag running "$BD_KERNEL"
boot_images | sed 's/^/=image /'
v=$(grubby_default)
if [ -n "$v" ]; then
	tag grubby "$v"
else
	# Without grubby: what the boot loader itself reads. Most of it only root may read.
	for f in /boot/grub2/grubenv /boot/grub/grubenv /boot/efi/EFI/*/grubenv; do
		v=$(reader "$f" 2>/dev/null) && block grubenv printf '%s\n' "$v"
	done
	for f in /boot/grub/grub.conf /boot/efi/EFI/redhat/grub.conf; do
		v=$(reader "$f" 2>/dev/null) && block grubconf printf '%s\n' "$v"
	done
	if [ -d /boot/loader ]; then
		block bls asroot 5 find /boot/loader/entries -name '*.conf' -exec grep -H -e '^version' -e '^linux' '{}' ';'
	fi
	if [ -e /boot/grub/grub.cfg ]; then
		# a later file wins, as in grub-mkconfig
		tag grubdefault "$(cat /etc/default/grub /etc/default/grub.d/*.cfg 2>/dev/null | sed -n 's/^GRUB_DEFAULT=//p' | tail -n 1)"
		v=$(reader /boot/grub/grub.cfg 2>/dev/null | sed -n '/^[[:space:]]*linux.*vmlinuz-/p' | head -n 1)
		tag grubcfg "$v"
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
