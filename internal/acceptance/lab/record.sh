#!/bin/bash
# Records what the real programs in the lab's guests say, for the tests of parsers: record.sh FOLDER [RECORDING...]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/lab.sh
LAB=${BOXDOCTOR_LAB:-/var/cache/boxdoctor-lab}
BOXDOCTOR_LAB_RUN=$(mktemp -d)
export BOXDOCTOR_LAB_RUN
out=${1:?usage: record.sh FOLDER [RECORDING...]}
shift
mkdir -p "$out"

# guest NAME ROOT CASE...: a fresh one
guest() { "$lab" stop "$1" && "$lab" start "$@" >/dev/null; }

# note FILE TEXT: begins a recording
note() {
	local f=$out/$1.txt
	shift
	{
		echo "# Recorded $(date -u +%Y-%m-%d) in a container guest of internal/acceptance/lab (record.sh), as user vagrant over ssh."
		echo "# Guest: $*"
		echo "# The lab's folder is written /home/dev/lab, the release of the outer machine's kernel $(outer)."
	} >"$f"
}
outer() { echo "$(uname -r | sed 's/[-+].*//')-outer"; }

# record NAME FILE: the commands on standard input, one a line, each with its output, its errors and its exit status
record() {
	local commands
	commands=$(base64 -w0)
	# shellcheck disable=SC2016
	timeout 900 "$lab" ssh "$1" bash -s -- "$commands" <<-'EOF' | sed "s,$LAB,/home/dev/lab,g; s,$BOXDOCTOR_LAB_RUN,/home/dev/lab/run,g; s,$(uname -r),$(outer),g" >>"$out/$2.txt"
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
			timeout 300 bash -c "$line" >"$d/o" 2>"$d/e" </dev/null 7<&-
			rc=$?
			part stdout "$d/o"
			part stderr "$d/e"
			echo "--- exit $rc"
		done 7<"$d/commands"
		rm -rf "$d"
	EOF
}
# put NAME VERSION: the Guest Additions ISO into the guest, mounted on /mnt
put() {
	local iso
	iso=$("$lab" iso "$2")
	scp -q -F "$BOXDOCTOR_LAB_RUN/$1/ssh_config" "$iso" "$1:/var/tmp/ga.iso"
	"$lab" exec "$1" mount -o loop,ro /var/tmp/ga.iso /mnt
}
stand_in="uname(2) is a stand-in that names the lab's kernel; no module can be loaded and no VirtualBox device exists."
el="Debian 12 userland as Rocky Linux 9.6, real dnf 4.14.0, rpm 4.18.0"

rec_baseline() {
	guest record el uname
	note el-baseline "$el; kernel installed, no kernel-devel, no build tools; the repository holds a newer kernel only. $stand_in"
	record record el-baseline <<-'EOF'
		cat /etc/os-release
		cat /etc/redhat-release
		uname -r
		uname -m
		rpm -qa 'kernel*'
		rpm -q kernel kernel-core kernel-devel kernel-headers
		rpm -q --last kernel-core
		rpm -q --qf '%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n' kernel-core
		ls -l /lib/modules/$(uname -r)/
		readlink -e /lib/modules/$(uname -r)/build
		cat /boot/grub2/grubenv
		grubby --default-kernel
		ls /boot/loader/entries
		command -v gcc
		command -v gcc make perl bzip2 tar
		df -Pk
		df -Pi
		findmnt
		findmnt -J /
		findmnt -rn -o TARGET,SOURCE,FSTYPE,OPTIONS
		findmnt -t vboxsf
		cat /proc/mounts
		lsmod
		sudo modinfo -n vboxguest
		sudo modinfo -F version vboxguest
		sudo modprobe vboxguest
		sudo mount -t vboxsf vagrant /mnt
		cat /sys/class/dmi/id/product_name
		systemctl is-system-running
		systemctl is-active vboxadd vboxadd-service
		systemctl show -p LoadState,ActiveState,SubState,Result vboxadd.service
		sudo -n true
		sudo dnf --version
		sudo dnf versionlock list
		sudo dnf -q versionlock list
		sudo dnf repolist
		sudo dnf -q repolist --all
		sudo dnf -q --assumeno install kernel-devel-$(uname -r)
		sudo dnf --assumeno install kernel-devel-$(uname -r)
		sudo dnf --assumeno install kernel-devel
		sudo dnf -q --assumeno install kernel-devel
		dnf -q --assumeno install kernel-devel
		sudo dnf -q list --showduplicates kernel-devel
		sudo dnf -q repoquery kernel-devel
		sudo dnf -q --assumeno install no-such-package
		sudo dnf --assumeno install no-such-package gcc
		sudo dnf -q check-update
		sudo needs-restarting -r
	EOF
}

rec_lock() {
	guest record el uname lock
	note el-lock "$el; kernel-devel and kernel-headers locked to a version that the repository does not hold. $stand_in"
	record record el-lock <<-'EOF'
		cat /etc/dnf/plugins/versionlock.conf
		cat /etc/dnf/plugins/versionlock.list
		sudo dnf versionlock list
		sudo dnf -q versionlock list
		sudo dnf -y install kernel-devel
		sudo dnf --assumeno install kernel-devel-$(uname -r)
		sudo dnf -q --assumeno install kernel-devel-$(uname -r)
		sudo dnf --assumeno install kernel-devel-6.1.0-696.10.2.el9.x86_64
		sudo dnf --assumeno install gcc make
		sudo dnf -q list kernel-devel
		sudo dnf -q info kernel-devel
		sudo dnf -q repoquery kernel-devel
		sudo yum -q --assumeno install kernel-devel
		sudo dnf --disableplugin=versionlock --assumeno install kernel-devel-6.1.0-696.10.2.el9.x86_64
		sudo dnf -q --disableplugin=versionlock --assumeno install kernel-devel-6.1.0-696.10.2.el9.x86_64
		sudo dnf versionlock delete 'kernel*'
		cat /etc/dnf/plugins/versionlock.list
		# the same list again, and the whole package name as an argument
		sudo dnf -q versionlock add --raw 'kernel-devel-0:6.1.0-400.1.1.el9.*'
		sudo dnf versionlock delete 'kernel-devel-0:6.1.0-400.1.1.el9.*'
		sudo dnf versionlock delete kernel-devel
		sudo dnf -q versionlock add --raw 'kernel-devel-0:6.1.0-400.1.1.el9.*'
		sudo dnf versionlock delete kernel-devel
		# a lock to a version that the repository does hold lets the install succeed
		sudo dnf versionlock add kernel-devel
		cat /etc/dnf/plugins/versionlock.list
		sudo dnf -q --assumeno install kernel-devel
		sudo dnf versionlock exclude make
		sudo dnf versionlock list
		sudo dnf --assumeno install make
		sudo dnf versionlock clear
		sudo dnf --disableplugin=versionlock -y install kernel-devel-6.1.0-696.10.2.el9.x86_64
		sudo dnf --disableplugin=versionlock -y install kernel-devel-6.1.0-696.10.2.el9.x86_64
	EOF
	guest record el uname lock-kernel exclude
	note el-lock-kernel "$el; kernel packages locked to the installed version, and exclude=kernel* in dnf.conf. $stand_in"
	record record el-lock-kernel <<-'EOF'
		cat /etc/dnf/dnf.conf
		cat /etc/dnf/plugins/versionlock.list
		sudo dnf --assumeno install kernel-devel
		sudo dnf -q --assumeno install kernel-devel
		sudo dnf --assumeno --disableexcludes=all install kernel-devel
		sudo dnf --assumeno --disableexcludes=main install kernel-devel
		sudo dnf --assumeno --disableexcludes=all install kernel-6.1.0-696.10.2.el9.x86_64
		sudo dnf --assumeno --disableexcludes=all --disableplugin=versionlock install kernel-6.1.0-696.10.2.el9.x86_64
		sudo dnf -y upgrade
	EOF
}

rec_eol() {
	guest record el uname eol
	note el-eol "$el, then dressed as CentOS Linux 8 with its mirror list (host name gone); vault.centos.org is a stand-in inside the guest. $stand_in"
	record record el-eol <<-'EOF'
		cat /etc/os-release
		cat /etc/centos-release
		cat /etc/yum.repos.d/CentOS-Linux-BaseOS.repo
		getent hosts mirrorlist.centos.org
		sudo dnf makecache
		sudo dnf -q makecache
		sudo dnf -q --assumeno install kernel-devel
		sudo dnf --assumeno install kernel-devel
		sudo dnf -q repolist
		sudo dnf versionlock list
		sudo dnf -q --cacheonly repolist
		sudo dnf -C -q --assumeno install kernel-devel
		# the repair, by hand
		sudo sed -i 's,^mirrorlist=,#&,; s,^#baseurl=http://mirror.centos.org/$contentdir/$releasever,baseurl=http://vault.centos.org/8.5.2111,' /etc/yum.repos.d/CentOS-Linux-BaseOS.repo /etc/yum.repos.d/CentOS-Linux-AppStream.repo
		sudo dnf makecache
		sudo dnf -q --assumeno install kernel-devel
	EOF
}

rec_tools() {
	guest record el uname tools
	put record 7.0.20
	note ga-7.0.20-no-tar "$el; gcc, make, perl, bzip2, tar missing, no kernel-devel; GA 7.0.20. $stand_in"
	record record ga-7.0.20-no-tar <<-'EOF'
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		ls /opt
	EOF
	guest record el uname repo-both
	put record 7.0.20
	note ga-7.0.20-no-tools "$el; tar is there, gcc, make, perl, bzip2 missing, kernel-devel of the running kernel there or not; GA 7.0.20. $stand_in"
	record record ga-7.0.20-no-tools <<-'EOF'
		sudo sh /mnt/VBoxLinuxAdditions.run --info
		sudo sh /mnt/VBoxLinuxAdditions.run --list
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		cat /var/lib/VBoxGuestAdditions/config
		ls /opt
		# bzip2 comes
		sudo dnf -q -y install bzip2
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		sudo cat /var/log/vboxadd-setup.log
		sudo rcvboxadd setup
		# kernel-devel comes, tools still missing
		sudo dnf -q -y install kernel-devel-$(uname -r)
		sudo rcvboxadd setup
		sudo cat /var/log/vboxadd-setup.log
		sudo dnf -q -y install gcc
		sudo rcvboxadd setup
		sudo cat /var/log/vboxadd-setup.log
		sudo dnf -q -y install make perl
		# kernel-devel goes away again: the build link dangles
		sudo rpm -e kernel-devel
		readlink -e /lib/modules/$(uname -r)/build
		sudo rcvboxadd setup
		sudo cat /var/log/vboxadd-setup.log
		sudo rcvboxadd quicksetup $(uname -r)
	EOF
}

rec_tmp() {
	guest record el-tools uname
	put record 7.0.20
	"$lab" sick record tmp
	note ga-7.0.20-tmp-full "$el; build tools and kernel-devel there, /tmp a full tmpfs of 1 MiB; GA 7.0.20. $stand_in"
	record record ga-7.0.20-tmp-full <<-'EOF'
		df -Pk /tmp /var/tmp /
		df -Pi /tmp
		findmnt /tmp
		cp /mnt/autorun.sh /tmp/
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		ls /opt
		sudo dnf -q -y reinstall make
	EOF
	guest record el-tools uname inodes
	put record 7.0.20
	note ga-7.0.20-tmp-no-inodes "$el; build tools and kernel-devel there, /tmp without a free inode; GA 7.0.20. $stand_in"
	record record ga-7.0.20-tmp-no-inodes <<-'EOF'
		df -Pk /tmp
		df -Pi /tmp
		cp /mnt/autorun.sh /tmp/
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		ls /opt
	EOF
}

rec_build() {
	guest record el-tools uname
	put record 7.0.20
	note ga-7.0.20-build "$el; build tools and kernel-devel of the running kernel there; GA 7.0.20. $stand_in"
	record record ga-7.0.20-build <<-'EOF'
		rpm -qa 'kernel*'
		findmnt /mnt
		ls -l /mnt
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		ls /var/log/vboxadd-setup.log*
		sudo tail -n +1 /var/log/vboxadd-setup.log /var/log/vboxadd-setup.log.1
		sudo cat /var/log/vboxadd-install.log
		cat /var/lib/VBoxGuestAdditions/config
		ls -l /lib/modules/$(uname -r)/misc
		sudo modinfo -n vboxguest
		sudo modinfo -F version vboxguest
		sudo modinfo -F vermagic vboxguest
		sudo modinfo vboxsf
		ls -l /sbin/mount.vboxsf
		sudo VBoxControl --version
		sudo VBoxControl sharedfolder list
		sudo VBoxControl guestproperty get /VirtualBox/HostInfo/VBoxVer
		sudo rcvboxadd status
		systemctl is-active vboxadd vboxadd-service
		sudo systemctl status --no-pager vboxadd.service
		sudo mount -t vboxsf -o uid=1000,gid=1000 vagrant /vagrant
		# the newer kernel comes: devel alone, then the kernel
		sudo dnf -q -y install kernel-devel
		rpm -qa 'kernel*'
		sudo rcvboxadd quicksetup 6.1.0-696.10.2.el9.x86_64
		ls /lib/modules
		sudo dnf -q -y install kernel
		rpm -q --last kernel-core
		cat /boot/grub2/grubenv
		uname -r
		sudo rcvboxadd quicksetup 6.1.0-696.10.2.el9.x86_64
		sudo cat /var/log/vboxadd-setup.log
		ls -l /lib/modules/6.1.0-696.10.2.el9.x86_64/misc
		sudo modinfo -k 6.1.0-696.10.2.el9.x86_64 -n vboxguest
		sudo rcvboxadd setup
		sudo sh /mnt/VBoxLinuxAdditions.run uninstall
		sudo /opt/VBoxGuestAdditions-7.0.20/uninstall.sh
		ls /opt /lib/modules/$(uname -r)/misc
	EOF
	local v
	for v in 6.1.22 7.0.6; do
		guest record el-tools uname
		put record $v
		note ga-$v-build "$el; build tools and kernel-devel of the running kernel (API level 6.1) there; GA $v. $stand_in"
		record record ga-$v-build <<-'EOF'
			sudo sh /mnt/VBoxLinuxAdditions.run --info
			sudo sh /mnt/VBoxLinuxAdditions.run --nox11
			sudo tail -n +1 /var/log/vboxadd-setup.log /var/log/vboxadd-setup.log.1
			cat /var/lib/VBoxGuestAdditions/config
			ls -l /lib/modules/6.1.0-358.10.2.el9.x86_64/misc
			sudo modinfo -F version vboxguest
		EOF
	done
	# an update over an older version
	put_over record 7.0.20
	note ga-7.0.20-over-7.0.6 "$el; GA 7.0.20 installed over GA 7.0.6. $stand_in"
	record record ga-7.0.20-over-7.0.6 <<-'EOF'
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		sudo cat /var/log/vboxadd-setup.log
		ls /opt
		sudo modinfo -F version vboxguest
	EOF
}
put_over() {
	"$lab" exec "$1" umount /mnt
	put "$@"
}

rec_outer() {
	guest record el
	put record 7.0.20
	note ga-7.0.20-unknown-kernel "$el; no stand-in: uname names the outer machine's kernel, of which the guest has nothing; bzip2 missing, then there; GA 7.0.20."
	record record ga-7.0.20-unknown-kernel <<-'EOF'
		uname -r
		rpm -q kernel-devel-$(uname -r)
		sudo dnf -q --assumeno install kernel-devel-$(uname -r)
		sudo dnf -q -y install bzip2
		sudo sh /mnt/VBoxLinuxAdditions.run --nox11
		sudo cat /var/log/vboxadd-setup.log
	EOF
}

rec_busy() {
	guest record el busy
	note el-busy "$el; another dnf is in the middle of a transaction."
	record record el-busy <<-'EOF'
		pgrep -a dnf
		sudo timeout 5 dnf -q --assumeno install make
		sudo timeout 5 dnf --assumeno install make
		sudo rpm -q make
		sudo dnf --setopt=exit_on_lock=True -q --assumeno install make
		sudo dnf --setopt=exit_on_lock=True -y install make
	EOF
}

rec_sudo() {
	local case
	note el-sudo "$el; sudo 1.9.13: password wanted, not in sudoers, terminal wanted, own name unknown."
	for case in sudo-password sudo-none sudo-tty hosts; do
		guest record el $case
		echo "# case $case" >>"$out/el-sudo.txt"
		record record el-sudo <<-'EOF'
			sudo -n true
			sudo true
			echo wrong | sudo -S -p '' true
			echo vagrant | sudo -S -p '' id -u
			sudo -n -l
		EOF
	done
}

rec_dnf5() {
	guest record dnf5 lock
	note dnf5-lock "Debian sid userland with real dnf5, dressed as Fedora; kernel-devel and kernel-headers locked to a version that the repository does not hold."
	record record dnf5-lock <<-'EOF'
		cat /etc/os-release
		dnf5 --version
		cat /etc/dnf/versionlock.toml
		sudo dnf5 versionlock list
		sudo dnf5 -q versionlock list
		sudo dnf5 -y install kernel-devel
		sudo dnf5 --assumeno install kernel-devel
		sudo dnf5 -q --assumeno install kernel-devel
		sudo dnf5 -q --assumeno install kernel-devel-6.1.0-696.10.2.el9.x86_64
		sudo dnf5 -q --assumeno install kernel-devel-6.1.0-358.10.2.el9.x86_64
		sudo dnf5 --assumeno install gcc
		sudo dnf5 -q list --available kernel-devel
		sudo dnf5 -q repoquery kernel-devel
		sudo dnf5 -q --assumeno install no-such-package
		sudo dnf5 versionlock delete 'kernel*'
		sudo dnf5 versionlock list
		sudo dnf5 versionlock delete kernel-devel
		sudo dnf5 versionlock list
		cat /etc/dnf/versionlock.toml
		sudo dnf5 versionlock delete kernel-headers
		cat /etc/dnf/versionlock.toml
		# without a lock
		sudo dnf5 --assumeno install kernel-devel
		sudo dnf5 -q --assumeno install kernel-devel
		sudo dnf5 versionlock add kernel-devel kernel
		sudo dnf5 versionlock add 'kernel-*'
		sudo dnf5 versionlock exclude make
		sudo dnf5 versionlock list
		cat /etc/dnf/versionlock.toml
		sudo dnf5 --assumeno install make
		sudo dnf5 --disableexcludes=all --assumeno install make
		sudo dnf5 --setopt=disable_excludes=* --assumeno install make
		sudo dnf5 --disable-plugin=versionlock --assumeno install make
		sudo dnf5 versionlock clear
		sudo dnf5 -y install kernel-devel
		dnf5 -q --assumeno install make
		sudo dnf5 repolist
		sudo dnf5 -q check-upgrade
	EOF
}

all=(baseline lock eol tools tmp build outer busy sudo dnf5)
[ $# -gt 0 ] || set -- "${all[@]}"
for what; do
	[ "$(type -t "rec_$what")" = function ] || { echo "record: unknown: $what (known: ${all[*]})" >&2; exit 2; }
	"rec_$what"
done
"$lab" stop record
rmdir "$BOXDOCTOR_LAB_RUN"
