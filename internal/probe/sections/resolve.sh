# shellcheck shell=sh
# What could be installed now, asked with --assumeno or a simulation. The only section that may let the
# package manager refresh its cache. Neither info nor list is a proof: locks are not applied to them.

# owner KERNEL FORMAT: a field of the rpm that holds this kernel
owner() {
	for f in "/lib/modules/$1/vmlinuz" "/boot/vmlinuz-$1"; do
		[ -e "$f" ] || continue
		v=$(rpm -qf --qf "$2\n" "$f" 2>/dev/null) || continue
		printf '%s\n' "${v%%"$NL"*}"
		return
	done
}

# base KERNEL: kernel, kernel-uek, kernel-ml …
base() {
	v=$(owner "$1" '%{NAME}')
	case $v in
	kernel*) printf '%s\n' "${v%-core}" ;;
	*)
		case $1 in
		*uek*) echo kernel-uek ;;
		*elrepo*) echo kernel-ml ;;
		*) echo kernel ;;
		esac
		;;
	esac
}

# devel KERNEL: the package that a module build for this kernel needs
devel() {
	case $BD_MANAGER in
	yum | dnf | dnf5) printf '%s\n' "$(base "$1")-devel-${1%%+*}" ;;
	apt)
		case $1 in
		[1-5].*-pve | 6.[0-4].*-pve) printf 'pve-headers-%s\n' "$1" ;;
		*-pve) printf 'proxmox-headers-%s\n' "$1" ;;
		*) printf 'linux-headers-%s\n' "$1" ;;
		esac
		;;
	zypper) printf 'kernel-%s-devel=%s\n' "${1##*-}" "$(owner "$1" '%{VERSION}-%{RELEASE}')" ;;
	pacman)
		v=
		if [ -r "/lib/modules/$1/pkgbase" ]; then read -r v <"/lib/modules/$1/pkgbase"; fi
		case ${v:-$1} in
		*-lts) echo linux-lts-headers ;;
		*-zen) echo linux-zen-headers ;;
		*-hardened) echo linux-hardened-headers ;;
		*) echo linux-headers ;;
		esac
		;;
	esac
}

# installed PACKAGE KERNEL
# shellcheck disable=SC2016 # dpkg-query expands its format
installed() {
	case $BD_MANAGER in
	yum | dnf | dnf5) rpm -q "$1" ;;
	apt) dpkg-query -W -f '${Status}\n' "$1" | grep '^[a-z]* ok installed' ;;
	zypper) rpm -q "${1%%=*}-${1#*=}" ;;
	pacman) pacman -Q "$1" && [ -d "/lib/modules/$2/build/" ] ;;
	*) false ;;
	esac >/dev/null 2>&1
}

# asnet SECONDS COMMAND...: as root, with the proxies that people of this guest have: sudo takes them away, and a login
# in them must stand in no argument. Nothing in the files is executed.
# shellcheck disable=SC1003,SC2016,SC2317 # expanded by the inner shell; called through block
asnet() {
	bd_limit=$1
	shift
	asroot "$bd_limit" sh -c 'for f in /etc/environment /etc/profile.d/*.sh /etc/sysconfig/proxy; do
		[ -r "$f" ] || continue
		while read -r line || [ -n "$line" ]; do
			line=${line#export }
			value=${line#*=}
			value=${value#[\"\'"'"']}
			value=${value%[\"\'"'"']}
			case $value in "" | *[\$\`\(\;\ ]*) continue ;; esac
			case $line in
			http_proxy=* | HTTP_PROXY=*) http_proxy=$value && export http_proxy ;;
			https_proxy=* | HTTPS_PROXY=*) https_proxy=$value && export https_proxy ;;
			no_proxy=* | NO_PROXY=*) no_proxy=$value && export no_proxy ;;
			esac
		done <"$f"
	done
	exec "$@"' sh "$@"
}

# question_yum PACKAGE: yum of EL5 knows neither --assumeno nor --setopt. It asks, and is answered by the end of its
# input, which is no; unless its configuration answers yes to everything: then it is not asked.
# shellcheck disable=SC2317 # called through block
question_yum() {
	out=$(asnet 25 yum --assumeno --setopt=timeout=8 --setopt=retries=1 install "$1" 2>&1)
	rc=$?
	case $out in
	*'no such option'*)
		if grep -i '^[[:space:]]*assumeyes[[:space:]]*=[[:space:]]*[1tTyY]' /etc/yum.conf >/dev/null 2>&1; then
			printf '%s\n' "$out"
			return "$rc"
		fi
		asnet 25 yum install "$1" </dev/null
		;;
	*)
		printf '%s\n' "$out"
		return "$rc"
		;;
	esac
}

# question PACKAGE
# shellcheck disable=SC2317 # called through block
question() {
	case $BD_MANAGER in
	yum) question_yum "$1" ;;
	dnf) asnet 25 dnf --assumeno --setopt=timeout=8 --setopt=retries=1 --setopt=exit_on_lock=True install "$1" ;;
	dnf5) asnet 25 dnf5 --assumeno --setopt=timeout=8 --setopt=retries=1 install "$1" ;;
	apt) lim 25 apt-get -s -o Debug::NoLocking=true install "$1" ;;
	zypper) asroot 25 zypper --non-interactive --no-refresh install --dry-run "$1" ;;
	pacman) lim 25 pacman -Sp --print-format '%n %v' "$1" ;;
	esac
}

asked=' '
work=
# ask PACKAGE KERNEL: once for each, within the time of this section
ask() {
	case $asked in *" $1 "*) return ;; esac
	asked="$asked$1 "
	if installed "$1" "$2"; then
		tag candidate "$1"
		tag answer installed
		return
	fi
	work=1
	if [ $(($(date +%s) - start)) -gt 32 ]; then
		tag candidate "$1"
		tag answer late
		return
	fi
	tag candidate "$1"
	block answer question "$1"
}

tag manager "$BD_MANAGER"
if [ -z "$BD_MANAGER" ]; then
	printf 'no known package manager\n'
	exit 127
fi
case $BD_MANAGER in
yum | dnf | dnf5 | zypper)
	if [ "$BD_ROOT" = no ]; then
		printf 'the package manager answers only root, and sudo -n does not give it\n'
		exit 77
	fi
	;;
esac
start=$(date +%s)
newest=$(boot_images | sort -V 2>/dev/null | tail -n 1)
default=$(grubby_default)
tag running "$BD_KERNEL"
if [ "$BD_MANAGER" = apt ]; then
	# without package lists apt says "Unable to locate" about everything
	for f in /var/lib/apt/lists/*_Packages*; do
		[ ! -e "$f" ] || tag aptlists yes
		break
	done
fi
for k in "$BD_KERNEL" "$default" "$newest"; do
	[ -z "$k" ] || ask "$(devel "$k")" "$k"
done
shift
n=${1:-0}
[ $# -eq 0 ] || shift
while [ "$n" -gt 0 ]; do
	shift 3
	n=$((n - 1))
done
for p in "$@"; do ask "$p" ''; done
[ -n "$work" ] || exit 0

# What the repositories hold, with locks and excludes off.
if [ $(($(date +%s) - start)) -gt 32 ]; then
	tag late lists
	exit 0
fi
case $BD_MANAGER in
yum)
	b=$(base "$BD_KERNEL")
	block list asnet 25 yum --disableplugin=versionlock --disableexcludes=all --setopt=timeout=8 --setopt=retries=1 \
		--showduplicates list "$b" "$b-devel"
	;;
dnf)
	b=$(base "$BD_KERNEL")
	block query asnet 25 dnf -q --disableplugin=versionlock --disableexcludes=all --setopt=timeout=8 --setopt=retries=1 \
		--setopt=exit_on_lock=True repoquery --available --queryformat '%{name} %{version}-%{release} %{arch}' "$b" "$b-core" "$b-devel"
	;;
dnf5)
	b=$(base "$BD_KERNEL")
	block query asnet 25 dnf5 -q '--setopt=disable_excludes=*' --setopt=timeout=8 --setopt=retries=1 \
		repoquery --available --queryformat '%{name} %{version}-%{release} %{arch}\n' "$b" "$b-core" "$b-devel"
	;;
apt)
	flavour=${BD_KERNEL##*[0-9]-}
	tag flavour "$flavour"
	# shellcheck disable=SC2046 # package names have no spaces
	block madison lim 20 apt-cache madison $(
		{
			apt-cache pkgnames linux-image-
			apt-cache pkgnames linux-headers-
		} 2>/dev/null | grep -e "^linux-[a-z]*-[0-9][0-9a-z.+~]*\(-[0-9]*\)\{0,1\}-$flavour\$" | sort -u | tail -n 400
	)
	;;
zypper) block search lim 20 zypper --non-interactive --no-refresh search -s --match-exact "kernel-${BD_KERNEL##*-}" "kernel-${BD_KERNEL##*-}-devel" ;;
pacman)
	p=$(devel "$BD_KERNEL")
	block print lim 20 pacman -Sp --print-format '%n %v' "${p%-headers}" "$p"
	;;
esac

# The archive of the running kernel's minor release: Rocky Linux and AlmaLinux keep only the newest one at hand.
vault=
if [ "$BD_MANAGER" = dnf ] && [ -r /etc/os-release ]; then
	minor=${BD_KERNEL##*.el}
	minor=${minor%%.*}
	where=AppStream
	case $minor in 8_*) where=BaseOS ;; esac
	case $minor:$(sed -n 's/^ID="\{0,1\}\([a-z]*\)"\{0,1\}$/\1/p' /etc/os-release) in
	[0-9]*_[0-9]*:rocky) vault=https://dl.rockylinux.org/vault/rocky/${minor%%_*}.${minor#*_}/$where/${BD_KERNEL##*.}/os/ ;;
	[0-9]*_[0-9]*:almalinux) vault=https://repo.almalinux.org/vault/${minor%%_*}.${minor#*_}/$where/${BD_KERNEL##*.}/os/ ;;
	esac
fi
# shellcheck disable=SC2154 # block sets bd_out
if [ -n "$vault" ] && [ $(($(date +%s) - start)) -le 32 ] && ! printf '%s\n' "$bd_out" | grep -F -e "-devel ${BD_KERNEL%.*}" >/dev/null 2>&1; then
	tag vault "$vault"
	block vaultquery asnet 20 dnf -q --disableplugin=versionlock --disableexcludes=all --setopt=timeout=8 --setopt=retries=1 \
		--setopt=exit_on_lock=True "--repofrompath=boxdoctor-vault,$vault" --repo=boxdoctor-vault repoquery --available \
		--queryformat '%{name} %{version}-%{release} %{arch}' "$(base "$BD_KERNEL")-devel"
fi
exit 0
