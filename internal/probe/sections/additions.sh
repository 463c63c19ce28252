# shellcheck shell=sh
# VBoxControl talks to the host by the device and may hang: each call has its own limit.
dump /var/lib/VBoxGuestAdditions/config
[ ! -e /var/lib/VBoxGuestAdditions/filelist ] || tag filelist yes
for d in /opt/VBoxGuestAdditions-*; do
	[ -d "$d" ] || continue
	tag opt "$d"
	for f in "$d/other/mount.vboxsf" "$d/lib/VBoxGuestAdditions/mount.vboxsf" "$d/lib64/VBoxGuestAdditions/mount.vboxsf" "$d/sbin/mount.vboxsf"; do
		[ ! -e "$f" ] || tag candidate "$f"
	done
done
if have VBoxControl; then
	block control lim 5 VBoxControl --version
	# the device belongs to root in some guests
	for try in plain root; do
		if [ "$try" = plain ]; then
			out=$(lim 5 VBoxControl guestproperty get /VirtualBox/HostInfo/VBoxVer 2>&1)
		else
			out=$(asroot 5 VBoxControl guestproperty get /VirtualBox/HostInfo/VBoxVer 2>&1)
		fi
		case $out in *Value:*) break ;; esac
	done
	block hostversion printf '%s\n' "$out"
	out=$(lim 5 VBoxControl sharedfolder list 2>&1)
	rc=$?
	if [ "$rc" != 0 ]; then
		out=$(asroot 5 VBoxControl sharedfolder list 2>&1)
		rc=$?
	fi
	tag sharesrc "$rc"
	block shares printf '%s\n' "$out"
fi
! have VBoxService || block service lim 5 VBoxService --version
for f in /sbin/rcvboxadd /usr/sbin/rcvboxadd /etc/init.d/vboxadd /etc/rc.d/init.d/vboxadd; do
	if [ -x "$f" ]; then
		tag setup "$f"
		break
	fi
done
for f in /sbin/mount.vboxsf /usr/sbin/mount.vboxsf; do
	[ -e "$f" ] || [ -L "$f" ] || continue
	tag helper "$f"
	[ ! -L "$f" ] || tag link "$(readlink "$f")"
	if [ -e "$f" ]; then
		tag resolved "$(readlink -f "$f")"
		[ ! -x "$f" ] || tag exec yes
	fi
	break
done
for d in /usr/lib/VBoxGuestAdditions /usr/lib64/VBoxGuestAdditions /usr/lib/*/VBoxGuestAdditions; do
	[ ! -e "$d" ] || tag liblink "$d"
done
for f in /tmp/VBoxGuestAdditions*.iso /var/tmp/VBoxGuestAdditions*.iso /root/VBoxGuestAdditions*.iso /home/*/VBoxGuestAdditions*.iso /tmp/boxdoctor* /var/tmp/boxdoctor*; do
	[ ! -e "$f" ] || tag iso "$f"
done
if [ -d /var/lib/boxdoctor ]; then
	block ours asroot 5 find /var/lib/boxdoctor -name '*.iso'
fi
exit 0
