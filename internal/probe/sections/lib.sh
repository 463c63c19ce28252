# shellcheck shell=sh
# What every section may use. It is put before the text of each section, which runs in a shell of its own.
# Plain POSIX sh, read by dash, bash, busybox ash, ksh and by the embedded shell of the demo: no arrays, no
# local, no traps, no here-documents (bash and ksh write those to /tmp, and a probe writes nothing).
#
# Output of a section, line by line:
#   =NAME VALUE      one fact
#   | TEXT           a line that belongs to the fact above it
#   anything else    what a program said on standard error: evidence, never a fact
# Set by the driver: BD_UID, BD_USER, BD_KERNEL, BD_MANAGER, BD_ROOT (root, sudo, no), BD_TIMEOUT,
# BD_SLOW (what every limit is multiplied by).

NL='
'

# tag NAME VALUE: one fact on one line; what comes after a newline (in a file name, say) is cut.
tag() {
	case $2 in *"$NL"*) set -- "$1" "${2%%"$NL"*}" ;; esac
	printf '=%s %s\n' "$1" "$2"
}

have() { command -v "$1" >/dev/null 2>&1; }

# lim SECONDS COMMAND...: the command with its own limit, where the guest has timeout(1); longer in a slow guest.
lim() {
	bd_sec=$(($1 * ${BD_SLOW:-1}))
	shift
	if [ -n "$BD_TIMEOUT" ]; then
		# shellcheck disable=SC2086 # a program and its options, made by the driver
		$BD_TIMEOUT "$bd_sec" "$@"
	else
		"$@"
	fi
}

# asroot SECONDS COMMAND...: as root, never asking; 77 when there is no way to root. The limit is inside of
# sudo, because a user may not signal what sudo started.
asroot() {
	bd_sec=$1
	shift
	case $BD_ROOT in
	root) lim "$bd_sec" "$@" ;;
	sudo)
		# shellcheck disable=SC2086 # as above
		sudo -n env LC_ALL=C ${BD_TIMEOUT:+$BD_TIMEOUT $((bd_sec * ${BD_SLOW:-1}))} "$@"
		;;
	*)
		printf 'root is needed, and sudo -n does not give it\n' >&2
		return 77
		;;
	esac
}

# reader FILE: its content, by root where this user may not read it.
reader() { if [ -r "$1" ]; then cat "$1"; else asroot 5 cat "$1"; fi; }

# block NAME COMMAND...: its exit status, and both its streams.
block() {
	bd_name=$1
	shift
	bd_out=$("$@" 2>&1)
	tag "$bd_name" "$?"
	[ -z "$bd_out" ] || printf '%s\n' "$bd_out" | head -c 65536 | sed 's/^/| /'
	printf '\n'
}

# dump FILE: mode, size, time and content of a text file, at most 64 KiB. Says nothing of a file that is not
# there. The size lets the reader put back or take off the last newline.
dump() {
	[ -f "$1" ] || return 0
	bd_st=$(stat -L -c '%a %s %Y' "$1" 2>/dev/null)
	if [ -r "$1" ]; then
		tag file "${bd_st:-0 -1 0} $1"
		head -c 65536 "$1" | sed 's/^/| /'
	elif bd_out=$(reader "$1" 2>/dev/null && echo x); then
		tag file "${bd_st:-0 -1 0} $1"
		printf '%s' "${bd_out%x}" | head -c 65536 | sed 's/^/| /'
	else
		tag unreadable "$1"
	fi
	printf '\n'
}

# family: which kind of distribution this is: el, deb, suse, arch, or nothing.
family() {
	bd_ids=
	for bd_f in /etc/os-release /usr/lib/os-release; do
		[ -r "$bd_f" ] || continue
		while IFS='=' read -r bd_key bd_val || [ -n "$bd_key" ]; do
			case $bd_key in ID | ID_LIKE) bd_ids="$bd_ids $bd_val" ;; esac
		done <"$bd_f"
		break
	done
	case $bd_ids in
	*rhel* | *fedora* | *centos*) echo el ;;
	*suse* | *sles*) echo suse ;;
	*debian* | *ubuntu*) echo deb ;;
	*arch*) echo arch ;;
	*)
		if [ -e /etc/redhat-release ] || [ -e /etc/centos-release ]; then
			echo el
		elif [ -e /etc/SuSE-release ]; then
			echo suse
		elif [ -e /etc/debian_version ]; then
			echo deb
		elif [ -e /etc/arch-release ]; then
			echo arch
		fi
		;;
	esac
}

# manager: the package manager that installs here. The family decides first: a guest may have several. A yum
# that is a link to dnf is dnf, which reads only its own lock list.
manager() {
	case $(family) in
	el)
		bd_yum=$(command -v yum 2>/dev/null)
		[ -z "$bd_yum" ] || bd_yum=$(readlink -f "$bd_yum" 2>/dev/null)
		bd_dnf=$(command -v dnf 2>/dev/null)
		[ -z "$bd_dnf" ] || bd_dnf=$(readlink -f "$bd_dnf" 2>/dev/null)
		case $bd_yum:$bd_dnf in
		*dnf5*) echo dnf5 ;;
		/*dnf*:*) echo dnf ;;
		/*:*) echo yum ;;
		*:/*) echo dnf ;;
		*) if have dnf5; then echo dnf5; fi ;;
		esac
		;;
	suse) if have zypper; then echo zypper; fi ;;
	deb) if have apt-get; then echo apt; fi ;;
	arch) if have pacman; then echo pacman; fi ;;
	*)
		for bd_m in dnf5 dnf yum zypper pacman; do
			if have "$bd_m"; then
				echo "$bd_m"
				return
			fi
		done
		if have apt-get; then echo apt; fi
		;;
	esac
}

# grubby_default: the release of the default boot entry, by grubby; nothing without it.
grubby_default() {
	have grubby || return 0
	asroot 5 grubby --default-kernel 2>/dev/null | sed -n 's,^/.*/vmlinuz-,,p' | head -n 1
}

# boot_images: the releases of the kernels in /boot, without rescue images and without nameless ones.
boot_images() {
	for bd_f in /boot/vmlinuz-[0-9]*; do
		[ -e "$bd_f" ] || continue
		case $bd_f in *rescue*) continue ;; esac
		printf '%s\n' "${bd_f#/boot/vmlinuz-}"
	done
}

# kernel_config KERNEL: the file that holds the configuration it was built with.
kernel_config() {
	for bd_f in "/boot/config-$1" "/lib/modules/$1/config" "/lib/modules/$1/build/.config"; do
		if [ -r "$bd_f" ]; then
			printf '%s\n' "$bd_f"
			return
		fi
	done
}

# procs: "pid name" of every process; names are cut at 15 characters by the kernel.
procs() {
	if have ps && bd_out=$(ps -e -o pid= -o comm= 2>/dev/null) && [ -n "$bd_out" ]; then
		printf '%s\n' "$bd_out"
		return
	fi
	for bd_p in /proc/[0-9]*; do
		[ -r "$bd_p/stat" ] || continue
		IFS= read -r bd_s <"$bd_p/stat" || continue
		bd_s=${bd_s#*'('}
		printf '%s %s\n' "${bd_p#/proc/}" "${bd_s%')'*}"
	done 2>/dev/null
}
