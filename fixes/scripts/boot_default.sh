# Makes an installed kernel the default boot entry. $1 its release (uname -r).
# grubby where it is; else GRUB's own way: the entry's id goes into a drop-in of /etc/default/grub.d (Debian, Ubuntu,
# Proxmox) or into grubenv (SUSE, Arch). Safe to run twice.
release=$1
if [ ! -e "/boot/vmlinuz-$release" ] && [ ! -e "/lib/modules/$release/vmlinuz" ]; then
	echo "boxdoctor: kernel $release is not in /boot any more; the default stays as it is"
	exit 1
fi
if command -v grubby >/dev/null 2>&1; then
	run grubby --set-default "/boot/vmlinuz-$release"
	exit 0
fi
cfg=
for f in /boot/grub/grub.cfg /boot/grub2/grub.cfg; do
	if [ -r "$f" ]; then
		cfg=$f
		break
	fi
done
if [ -z "$cfg" ]; then
	echo "boxdoctor: neither grubby nor GRUB's configuration was found; choose kernel $release at the VM's console"
	exit 1
fi

# entry prints the id of the menu entry of this kernel, with that of the submenu it lies in: SUBMENU>ENTRY.
entry() {
	submenu=
	while IFS= read -r line; do
		id=${line#*menuentry_id_option \'}
		id=${id%%\'*}
		case $line in
		submenu*menuentry_id_option*) submenu=$id ;;
		*menuentry*menuentry_id_option*"$release-recovery"*) ;;
		*menuentry*menuentry_id_option*"-$release-advanced"*)
			printf '%s\n' "${submenu:+$submenu>}$id"
			return 0
			;;
		esac
	done <"$cfg"
	return 1
}

if ! id=$(entry); then
	echo "boxdoctor: $cfg has no entry for kernel $release; choose it at the VM's console"
	exit 1
fi
echo "+ the entry is $id"
if [ -d /etc/default/grub.d ] && command -v update-grub >/dev/null 2>&1; then
	printf '# boxdoctor: the Guest Additions do not build on a newer kernel. Remove this file, then: update-grub\nGRUB_DEFAULT="%s"\n' "$id" >/etc/default/grub.d/90-boxdoctor.cfg
	run update-grub
	exit 0
fi
for set in grub2-set-default grub-set-default; do
	if command -v "$set" >/dev/null 2>&1; then
		case $(sed -n 's/^GRUB_DEFAULT=//p' /etc/default/grub 2>/dev/null) in
		*saved*) ;;
		*)
			echo "boxdoctor: /etc/default/grub does not say GRUB_DEFAULT=saved, so $set would have no effect; choose kernel $release at the VM's console"
			exit 1
			;;
		esac
		run "$set" "$id"
		exit 0
	fi
done
echo "boxdoctor: no program that sets GRUB's default was found; choose kernel $release at the VM's console"
exit 1
