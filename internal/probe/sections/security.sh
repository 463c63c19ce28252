# shellcheck shell=sh
if [ -d /sys/firmware/efi ]; then
	tag efi yes
	! have mokutil || block mokutil lim 3 mokutil --sb-state
	for f in /sys/firmware/efi/efivars/SecureBoot-*; do
		[ ! -r "$f" ] || tag efivar "$(od -An -t u1 "$f" 2>/dev/null)"
	done
fi
if [ -r /sys/kernel/security/lockdown ]; then
	IFS= read -r v </sys/kernel/security/lockdown
	tag lockdown "$v"
fi
# only SUSE has this switch
if [ "$BD_MANAGER" = zypper ] && have modprobe; then
	lim 5 modprobe -c 2>/dev/null | grep allow_unsupported_modules | sed 's/^/=unsupported /'
fi
for f in /sys/fs/selinux/enforce /selinux/enforce; do
	[ -r "$f" ] || continue
	IFS= read -r v <"$f" || [ -n "$v" ]
	tag enforce "$v"
	break
done
if [ -r /etc/selinux/config ]; then
	tag selinuxconfig "$(sed -n 's/^SELINUX=//p' /etc/selinux/config)"
fi
exit 0
