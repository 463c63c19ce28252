# shellcheck shell=sh
# A missing tool is not an empty list: block reports the exit status, and 127 is an error to the reader.
case $BD_MANAGER in
yum | dnf | dnf5 | zypper)
	block rpm lim 20 rpm -qa --qf '%{NAME} %{EPOCH} %{VERSION}-%{RELEASE} %{ARCH}\n' 'kernel*' 'virtualbox*' 'dkms' \
		'*versionlock*' 'gcc' 'make' 'perl' 'perl-interpreter' 'bzip2' 'tar' 'elfutils-libelf-devel' 'libelf-devel'
	;;
apt)
	# shellcheck disable=SC2016 # dpkg-query expands it
	block dpkg lim 20 dpkg-query -W -f '${Package} ${Version} ${Architecture} ${Status}\n' 'linux-*' 'pve-*' 'proxmox-*' \
		'virtualbox*' 'dkms' 'build-essential' 'gcc' 'make' 'perl' 'bzip2' 'tar' 'libelf-dev'
	;;
pacman) block pacman lim 20 pacman -Q ;;
*) tag none "no known package manager" ;;
esac
for d in /var/lib/dkms/*vbox* /var/lib/dkms/*virtualbox*; do
	[ -d "$d" ] || continue
	tag dkmsdir "${d##*/}"
	dkms=1
done
[ -z "${dkms:-}" ] || ! have dkms || block dkms lim 8 dkms status
exit 0
