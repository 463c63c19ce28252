# shellcheck shell=sh
if [ -d /sys/firmware/efi ]; then
	tag efi yes
	! have mokutil || block mokutil lim 3 mokutil --sb-state
	for f in /sys/firmware/efi/efivars/SecureBoot-*; do
		[ ! -r "$f" ] || tag efivar "$(od -An -t u1 "$f" 2>/dev/null)"
	done
	d=/var/lib/shim-signed/mok
	if asroot 3 test -e "$d/MOK.der" 2>/dev/null && asroot 3 test -e "$d/MOK.priv" 2>/dev/null; then
		tag mokkey yes
		! have mokutil || block moktest asroot 3 mokutil --test-key "$d/MOK.der"
	fi
	if [ -x "/lib/modules/$BD_KERNEL/build/scripts/sign-file" ]; then
		tag signtool "/lib/modules/$BD_KERNEL/build/scripts/sign-file"
	elif have kmodsign; then
		tag signtool "$(command -v kmodsign)"
	fi
	if have update-secureboot-policy; then
		case $(lim 3 update-secureboot-policy --help 2>&1) in *--new-key*) tag policy yes ;; esac
	fi
fi
if [ -r /sys/kernel/security/lockdown ]; then
	IFS= read -r v </sys/kernel/security/lockdown
	tag lockdown "$v"
fi
# only SUSE has this switch
if [ "$BD_MANAGER" = zypper ] && have modprobe; then
	lim 5 modprobe -c 2>/dev/null | grep allow_unsupported_modules | sed 's/^/=unsupported /'
	for f in /etc/modprobe.d/*.conf; do
		if [ -e "$f" ] && grep -q allow_unsupported_modules "$f" 2>/dev/null; then dump "$f"; fi
	done
fi
for f in /sys/fs/selinux/enforce /selinux/enforce; do
	[ -r "$f" ] || continue
	IFS= read -r v <"$f" || [ -n "$v" ]
	tag enforce "$v"
	h=$(readlink -f /sbin/mount.vboxsf 2>/dev/null)
	if [ -n "$h" ] && [ -e "$h" ]; then block label ls -Z "$h"; fi
	break
done
if [ -r /etc/selinux/config ]; then
	tag selinuxconfig "$(sed -n 's/^SELINUX=//p' /etc/selinux/config)"
fi
exit 0
