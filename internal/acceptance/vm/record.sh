#!/bin/bash
# Records what real programs in the VM lab's guests say, for the tests of parsers: record.sh FOLDER [RECORDING...]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vm=$here/vm.sh
out=${1:?usage: record.sh FOLDER [RECORDING...]}
shift
mkdir -p "$out"

# guest NAME IMAGE: a fresh one
guest() { "$vm" stop "$1" && "$vm" start "$1" "$2" >/dev/null; }

# note FILE TEXT: begins a recording
note() {
	{
		echo "# Recorded $(date -u +%Y-%m-%d) in a guest of internal/acceptance/vm (record.sh), as user vagrant over ssh."
		echo "# Guest: $2"
	} >"$out/$1.txt"
}

# record NAME FILE: the commands on standard input, one a line, each with its output, its errors and its exit status
record() {
	local commands
	commands=$(base64 -w0)
	# shellcheck disable=SC2016
	timeout 1500 "$vm" ssh "$1" bash -s -- "$commands" <<-'EOF' | tr -d '\r' >>"$out/$2.txt"
		part() {
			[ -s "$2" ] || return 0
			echo "--- $1"
			cat "$2"
			[ -z "$(tail -c1 "$2")" ] || echo "\\ no newline at the end"
		}
		d=$(mktemp -d /var/tmp/record.XXXX)
		echo "$1" | base64 -d >"$d/commands"
		while IFS= read -r -u 7 line; do
			case $line in '#'*) echo "$line"; continue ;; esac
			echo "\$ $line"
			timeout 900 bash -c "$line" >"$d/o" 2>"$d/e" </dev/null 7<&-
			rc=$?
			part stdout "$d/o"
			part stderr "$d/e"
			echo "--- exit $rc"
		done 7<"$d/commands"
		rm -rf "$d"
	EOF
}
# put NAME VERSION: the Guest Additions ISO into the guest
put() {
	local iso
	iso=$("$here/../lab/lab.sh" iso "$2")
	timeout 300 "$vm" ssh "$1" 'cat >/var/tmp/ga.iso' <"$iso"
}
el="QEMU, Debian 12 userland as Rocky Linux 9.6, real dnf 4.14.0, rpm 4.18.0, kernel, GRUB 2 and Guest Additions; grubby is the lab's stand-in. There is no VirtualBox device."

# the founding case by hand: what it looks like, the kernel, the reboot, the Guest Additions
rec_founding() {
	guest record founding
	note founding-sick "$el"
	record record founding-sick <<-'EOF'
		uname -r
		rpm -qa 'kernel*'
		rpm -q kernel-devel
		cat /etc/dnf/plugins/versionlock.list
		ls -l /lib/modules /lib/modules/*/misc
		readlink /lib/modules/$(uname -r)/build
		readlink -e /lib/modules/$(uname -r)/build
		/sbin/modinfo -n vboxguest
		ls -l /sbin/mount.vboxsf
		readlink -e /sbin/mount.vboxsf
		findmnt -n /mnt
		cat /var/lib/VBoxGuestAdditions/config
		VBoxControl --version
		systemctl status vboxadd vboxadd-service --no-pager -l
		cat /var/log/vboxadd-setup.log
		sudo journalctl -b -u vboxadd --no-pager -o cat
		dnf -q list --available 'kernel*'
		dnf -q info kernel-devel
		sudo dnf -y install kernel-devel-$(uname -r)
		sudo dnf -y install kernel-devel
		sudo /sbin/rcvboxadd setup
		sudo /sbin/rcvboxadd status
		lspci -nn
		cat /sys/bus/pci/devices/*/vendor
		cat /sys/class/dmi/id/product_name
	EOF
	note kernel-upgrade "$el The lock was taken away."
	record record kernel-upgrade <<-'EOF'
		cat /proc/sys/kernel/random/boot_id
		sudo sed -i '/^kernel/d' /etc/dnf/plugins/versionlock.list
		sudo grubby --default-kernel
		sudo dnf -y install kernel kernel-devel
		sudo grubby --default-kernel
		sudo grubby --info=ALL
		sudo cat /boot/grub2/grubenv | head -c 200
		sudo sh -c 'head -20 /boot/loader/entries/*.conf'
		uname -r
		ls -l /boot /lib/modules/*/build
	EOF
	timeout 20 "$vm" ssh record sudo systemctl reboot || true
	sleep 5
	"$vm" wait record 240
	record record kernel-upgrade <<-'EOF'
		# after the reboot
		cat /proc/sys/kernel/random/boot_id
		uname -r
		systemctl is-system-running
		cat /var/log/vboxadd-setup.log
	EOF
	put record 7.0.20
	note ga-7.0.20-over-6.1.22 "$el Running kernel with its kernel-devel; Guest Additions 6.1.22 are installed."
	record record ga-7.0.20-over-6.1.22 <<-'EOF'
		uname -r
		sudo mkdir -p /run/ga
		sudo mount -o loop,ro /var/tmp/ga.iso /run/ga
		sudo sh /run/ga/VBoxLinuxAdditions.run --nox11
		sudo umount /run/ga
		ls -l /lib/modules/*/misc
		/sbin/modinfo -n vboxguest
		/sbin/modinfo -F version vboxguest
		/sbin/modinfo -F version vboxsf
		readlink -e /sbin/mount.vboxsf
		VBoxControl --version
		sudo modprobe vboxguest
		sudo dmesg | grep -i vbox
		sudo /sbin/rcvboxadd status-kernel
		sudo mount -t vboxsf home_rc_ /media
		systemctl status vboxadd vboxadd-service --no-pager -l
		cat /var/log/vboxadd-setup.log
		cat /var/log/vboxadd-install.log
		ls /opt /var/log
	EOF
	"$vm" stop record
}

# in-kernel vboxguest stands before Oracle's, which was not built; the installer ends with 0
rec_stock() {
	guest record stock
	put record 7.0.20
	note stock-shadowed "QEMU, Debian 12 with its stock kernel, no kernel headers; Guest Additions 7.0.20 installed. There is no VirtualBox device."
	record record stock-shadowed <<-'EOF'
		uname -r
		dpkg -l 'linux-headers*' | grep ^ii
		/sbin/modinfo -n vboxguest
		/sbin/modinfo -F version vboxguest
		/sbin/modinfo -n vboxsf
		ls /lib/modules/*/misc
		sudo mkdir -p /run/ga
		sudo mount -o loop,ro /var/tmp/ga.iso /run/ga
		sudo sh /run/ga/VBoxLinuxAdditions.run --nox11
		sudo umount /run/ga
		/sbin/modinfo -n vboxguest
		cat /var/log/vboxadd-setup.log
		cat /var/log/vboxadd-install.log
		systemctl status vboxadd --no-pager -l
		sudo /sbin/rcvboxadd status-kernel
	EOF
	"$vm" stop record
}

[ $# -gt 0 ] || set -- founding stock
for what; do "rec_$what"; done
