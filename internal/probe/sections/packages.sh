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
case $BD_MANAGER in
yum) cache=/var/cache/yum ;;
dnf) cache=/var/cache/dnf ;;
dnf5) cache=/var/cache/libdnf5 ;;
apt) cache=/var/cache/apt/archives ;;
zypper) cache=/var/cache/zypp/packages ;;
pacman) cache=/var/cache/pacman/pkg ;;
*) cache=/nonexistent ;;
esac
if [ -d "$cache" ]; then
	v=$(lim 8 du -sk "$cache" 2>/dev/null)
	tag cache "${v%%[!0-9]*}"
else
	tag cache 0
fi
for d in /var/lib/dkms/*vbox* /var/lib/dkms/*virtualbox*; do
	[ -d "$d" ] || continue
	tag dkmsdir "${d##*/}"
	dkms=1
done
[ -z "${dkms:-}" ] || ! have dkms || block dkms lim 8 dkms status
exit 0
