# shellcheck shell=sh disable=SC2154
# packages NAME...: the installed version of each, or that there is none; all in one call.
case $BD_MANAGER in
apt)
	dpkg-query -W -f='=dpkg ${Package} ${Version} ${Status}\n' "$@" 2>&1 |
		sed 's/^dpkg-query: no packages found matching \(.*\)$/=absent \1/'
	;;
yum | dnf | dnf5 | zypper)
	rpm -q --qf '=pkg %{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}\n' "$@" 2>&1 |
		sed 's/^package \(.*\) is not installed$/=absent \1/'
	;;
pacman)
	pacman -Q "$@" 2>&1 |
		sed -e "s/^error: package '\(.*\)' was not found\$/=absent \1/" -e '/^[=e]/!s/^/=pkg /'
	;;
*) echo "no package manager that boxdoctor knows is there" ;;
esac
