# Puts things back. Five for each: kind, path, how it was, how boxdoctor left it, the copy of the old file. What stands
# as it was needs nothing; what stands neither so nor as boxdoctor left it was changed by somebody else and is left
# alone. state is defined above this text. Safe to run twice.
set -u
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
export PATH
LC_ALL=C
export LC_ALL

# same STATE WANTED: of a file the mode and the owner count only where they are known.
same() {
	case $1 in
	"$2" | "$2 "*) [ -n "$2" ] ;;
	*) return 1 ;;
	esac
}

# holders PATH names the processes that keep a mount busy, with few programs: a guest may have many descriptors open.
holders() {
	# shellcheck disable=SC2012 # names of numbers only
	ls -l /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/fd 2>/dev/null |
		sed -n -e 's,^/proc/\([0-9]*\)/fd:$,= \1,p' -e 's,^.* /proc/\([0-9]*\)/[a-z]* -> ,\1 ,p' -e 's,^l.* [0-9]* -> ,- ,p' | {
		owner=
		while read -r process path; do
			case $process in
			=)
				owner=$path
				continue
				;;
			-) process=$owner ;;
			esac
			case $path in "$1" | "$1"/*) echo "$process" ;; esac
		done
	} | sort -u | head -n 20 | while read -r process; do
		echo "boxdoctor: $1 is used by $(sed -n 's/^Name:[[:space:]]*//p' "/proc/$process/status" 2>/dev/null) (process $process)"
	done
}

# put_file COPY FILE puts the old file in place in one step, with its owner, mode and time.
put_file() {
	if cp -p "$1" "$2.boxdoctor-new" && mv -f "$2.boxdoctor-new" "$2"; then
		if command -v restorecon >/dev/null 2>&1; then
			restorecon "$2" || true
		fi
		return 0
	fi
	rm -f "$2.boxdoctor-new"
	return 1
}

# take_away NOW THING makes room for what was there before.
take_away() {
	case $1 in
	"mounted "*)
		umount "$2" || {
			holders "$2"
			return 1
		}
		;;
	dir) rmdir "$2" ;;
	"link "* | "file "*) rm -f "$2" ;;
	"package "*) remove_package "$2" ;;
	esac
}

# put_service NAME WAS makes a service start at boot and run as it did.
put_service() {
	now=$(state service "$1")
	case $2 in
	"${now% *} "*) ;;
	*" on "*) boot_service enable on "$1" || return 1 ;;
	*" off "*) boot_service disable off "$1" || return 1 ;;
	esac
	case $now:$2 in
	*" stopped:"*" running") run_service start "$1" ;;
	*" running:"*" stopped") run_service stop "$1" ;;
	esac
}

# boot_service VERB WORD NAME: systemd, else chkconfig (EL6) or update-rc.d.
boot_service() {
	if [ -d /run/systemd/system ]; then
		systemctl "$1" "$3"
	elif command -v chkconfig >/dev/null 2>&1; then
		chkconfig "$3" "$2"
	else
		update-rc.d "$3" "$1"
	fi
}

# run_service VERB NAME
run_service() {
	if [ -d /run/systemd/system ]; then systemctl "$1" "$2"; else "/etc/init.d/$2" "$1" </dev/null; fi
}

# remove_package NAME: these refuse where another package needs it.
remove_package() {
	if command -v dpkg >/dev/null 2>&1; then
		dpkg -r "$1" </dev/null
	elif command -v rpm >/dev/null 2>&1; then
		rpm -e "$1" </dev/null
	else
		pacman -R --noconfirm "$1" </dev/null
	fi
}

# put_mode PATH "mode MODE OWNER": the owner first, because a change of it takes setuid away.
put_mode() {
	# shellcheck disable=SC2086 # two words
	set -- "$1" ${2#mode }
	chown "$3" "$1" && chmod "$2" "$1"
}

# restore NOW THING WAS COPY
restore() {
	case $3 in
	"mode "*) put_mode "$2" "$3" ;;
	"service "*) put_service "$2" "$3" ;;
	"sysctl "*) sysctl -w "$2=${3#sysctl }" ;;
	absent) take_away "$1" "$2" ;;
	"link "*)
		take_away "$1" "$2" && ln -s "${3#link }" "$2"
		;;
	"file "*)
		case $1 in "file "* | absent) ;; *) take_away "$1" "$2" || return 1 ;; esac
		put_file "$4" "$2"
		;;
	dir) mkdir "$2" ;;
	*) return 1 ;;
	esac
}

status=0
while [ "$#" -ge 5 ]; do
	now=$(state "$1" "$2")
	thing=$2
	if [ "$1" = file ] && [ -L "$2" ] && [ -e "$2" ]; then
		thing=$(readlink -f "$2")
	fi
	if same "$now" "$3"; then
		echo "$2 is as it was"
	elif ! same "$now" "$4"; then
		echo "boxdoctor: $2 was changed since boxdoctor left it: it is left alone"
		status=9
	elif restore "$now" "$thing" "$3" "$5" && same "$(state "$1" "$2")" "$3"; then
		echo "+ $2 is as it was before"
	else
		echo "boxdoctor: $2 could not be put back"
		status=74
	fi
	shift 5
done
exit "$status"
