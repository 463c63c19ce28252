# Installs packages from files. $1 the package manager, $2 the folder with the files, which is removed afterwards.
set -eu
trap 'rm -rf "$2"' EXIT
case $1 in
apt) DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install "$2"/*.deb ;;
*)
	# without the repositories first: an offline guest cannot reach them, and the files may need nothing else
	"$1" -y --disablerepo='*' install "$2"/*.rpm || "$1" -y install "$2"/*.rpm
	;;
esac
