# How things of the guest stand, and the notes of it that a job leaves, so that `boxdoctor undo` can put them back.
# A state is one line: absent, "file SHA256 MODE OWNER", "link TARGET", dir, "mounted SOURCE", "mode MODE OWNER",
# "service on|off|static running|stopped", "sysctl VALUE", "package VERSION", or other.

# mounted PATH prints what is mounted on it. Blanks are octal in /proc/mounts.
mounted() {
	want=$(printf '%s\n' "$1" | sed -e 's/\\/\\134/g' -e 's/ /\\040/g')
	found=absent
	while read -r source target rest; do
		if [ "$target" = "$want" ]; then
			found="mounted $source"
		fi
	done </proc/mounts
	echo "$found"
}

# service_state NAME prints whether it starts at boot and whether it runs.
service_state() {
	boot=off run=stopped
	if [ -d /run/systemd/system ]; then
		case $(systemctl show -p LoadState "$1" 2>/dev/null) in LoadState=loaded) ;; *)
			echo absent
			return
			;;
		esac
		case $(systemctl is-enabled "$1" 2>/dev/null) in enabled*) boot=on ;; static | indirect | generated) boot=static ;; esac
		case $(systemctl is-active "$1" 2>/dev/null) in active | reloading | activating) run=running ;; esac
	elif [ -x "/etc/init.d/$1" ]; then
		for link in /etc/rc3.d/S[0-9][0-9]"$1" /etc/rc.d/rc3.d/S[0-9][0-9]"$1"; do
			[ ! -e "$link" ] || boot=on
		done
		! "/etc/init.d/$1" status >/dev/null 2>&1 </dev/null || run=running
	else
		echo absent
		return
	fi
	echo "service $boot $run"
}

# package_state NAME prints the installed version.
package_state() {
	if command -v dpkg-query >/dev/null 2>&1; then
		version=$(dpkg-query -W -f='${Status} ${Version}' "$1" 2>/dev/null)
		case $version in *" installed "*) version=${version##* } ;; *) version= ;; esac
	elif command -v rpm >/dev/null 2>&1; then
		version=$(rpm -q --qf '%{VERSION}-%{RELEASE} ' "$1" 2>/dev/null) || version=
		version=${version% }
	else
		version=$(pacman -Q "$1" 2>/dev/null) || version=
		version=${version#* }
	fi
	if [ -n "$version" ]; then echo "package $version"; else echo absent; fi
}

# state KIND PATH: a "file" is what a link leads to, a "name" is the link itself, a "mount" what lies on a folder. Of a
# "service", "sysctl" and "package" the path is its name.
state() {
	thing=$2
	case $1 in
	mount)
		mounted "$2"
		return
		;;
	mode)
		if [ -e "$2" ]; then echo "mode $(stat -L -c '%a %u:%g' "$2")"; else echo absent; fi
		return
		;;
	service | package)
		"$1_state" "$2"
		return
		;;
	sysctl)
		if value=$(sysctl -n "$2" 2>/dev/null); then
			# shellcheck disable=SC2086 # blanks become one space
			echo sysctl $value
		else
			echo absent
		fi
		return
		;;
	file) if [ -L "$2" ] && [ -e "$2" ]; then thing=$(readlink -f "$2"); fi ;;
	esac
	if [ -L "$thing" ]; then
		echo "link $(readlink "$thing")"
	elif [ -f "$thing" ]; then
		echo "file $(sha256sum <"$thing" | cut -c1-64) $(stat -c '%a %u:%g' "$thing")"
	elif [ -d "$thing" ]; then
		echo dir
	elif [ -e "$thing" ]; then
		echo other
	else
		echo absent
	fi
}

# note WHEN LIST DIR writes the states of all things of LIST (lines "KIND PATH") to DIR/WHEN in one step; the first
# time with copies of the files, DIR/1 for the first line and so on.
note() {
	mkdir -p "$3" || return 1
	chmod 0700 "$3"
	line=0
	while read -r kind path; do
		line=$((line + 1))
		now=$(state "$kind" "$path")
		case $1:$now in
		"was:file "*) cp -p "$path" "$3/$line" || return 1 ;;
		esac
		printf '%s\n' "$now"
	done <"$2" >"$3/$1.new" && mv -f "$3/$1.new" "$3/$1"
}
