# Functions that every package transaction uses. They run as root in the guest, in a detached job.
# Nothing here may leave a lock open: whatever ends the job, restore_locks runs; after a power cut the next
# `boxdoctor fix` finds the folder below /var/lib/boxdoctor/pending and runs restore_dir.
set -u
umask 022
LC_ALL=C
LANGUAGE=C
DEBIAN_FRONTEND=noninteractive
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
export LC_ALL LANGUAGE DEBIAN_FRONTEND PATH

# run shows a command and runs it; a failure ends the job with its status.
run() {
	echo "+ $*"
	"$@"
	status=$?
	if [ "$status" -ne 0 ]; then
		echo "boxdoctor: this command ended with status $status: $*"
		exit "$status"
	fi
}

# try runs a command that nothing depends on: a failure is said and the script goes on.
try() {
	echo "+ $*"
	"$@" || echo "boxdoctor: this command ended with status $?; going on without it: $*"
}

# guest_proxies takes over the proxies that people of this guest have: neither sudo nor a detached job knows them. What
# yum.conf, apt.conf.d or zypp.conf say comes on top of it. Nothing in these files is executed.
guest_proxies() {
	for file in /etc/environment /etc/profile.d/*.sh /etc/sysconfig/proxy; do
		if [ ! -r "$file" ]; then
			continue
		fi
		while read -r line || [ -n "$line" ]; do
			line=${line#export }
			value=${line#*=}
			value=${value#[\"\']}
			value=${value%[\"\']}
			case $value in '' | *['$`(; ']*) continue ;; esac
			case $line in
			http_proxy=* | HTTP_PROXY=*) http_proxy=$value && export http_proxy ;;
			https_proxy=* | HTTPS_PROXY=*) https_proxy=$value && export https_proxy ;;
			no_proxy=* | NO_PROXY=*) no_proxy=$value && export no_proxy ;;
			esac
		done <"$file"
	done
}
guest_proxies

# name_of PID is the name of a process, cut at 15 characters by the kernel.
name_of() {
	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	line=${line#*\(}
	echo "${line%)*}"
}

# holder FILE names the process that holds a lock on a file, whatever program it is.
holder() {
	inode=$(stat -c %i "$1" 2>/dev/null) || return 0
	while read -r _ kind _ mode pid where _; do
		case $kind/$mode/$where in
		*/WRITE/*:"$inode") name=$(name_of "$pid") && echo "$name (process $pid, holds $1)" ;;
		esac
	done </proc/locks
}

# processes prints the number and the name of each.
processes() {
	for process in /proc/[0-9]*; do
		pid=${process#/proc/}
		name=$(name_of "$pid") && echo "$pid $name"
	done
}

# busy names package managers that work right now.
busy() {
	processes | while read -r pid name; do
		case $name in
		yum | dnf | dnf5 | dnf-3 | microdnf | apt-get | apt | aptitude | dpkg | zypper | pacman | rpm) echo "$name (process $pid)" ;;
		unattended-upg*)
			# on every Ubuntu its helper waits for a shutdown and does nothing until then
			case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in
			*unattended-upgrade-shutdown*) ;;
			*) echo "unattended-upgrades (process $pid)" ;;
			esac
			;;
		esac
	done
	if command -v cloud-init >/dev/null 2>&1; then
		case $(cloud-init status 2>/dev/null) in *running*) echo cloud-init ;; esac
	fi
	if [ -r /proc/locks ]; then
		for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock; do
			holder "$lock"
		done
	fi
}

# wait_idle waits at most ten minutes for them.
wait_idle() {
	waited=0
	while others=$(busy) && [ -n "$others" ]; do
		if [ "$waited" -ge 600 ]; then
			echo "boxdoctor: after 10 minutes these still run: $others. Nothing was changed."
			exit 75
		fi
		if [ "$((waited % 30))" -eq 0 ]; then
			echo "boxdoctor: waiting for $others"
		fi
		sleep 5
		waited=$((waited + 5))
	done
}

# wait_start waits at most six minutes for Guest Additions that start with the guest (systemd gives them five): they
# may build their modules just then, and two builds at once install over each other.
wait_start() {
	waited=0
	while [ "$waited" -lt 360 ] && [ "$(systemctl is-active vboxadd.service 2>/dev/null)" = activating ]; do
		if [ "$waited" -eq 0 ]; then
			echo "boxdoctor: waiting for the Guest Additions that the guest is starting"
		fi
		sleep 5
		waited=$((waited + 5))
	done
}

# wait_names HOST... waits at most a minute until one of the names resolves: a box answers over ssh before its network
# is whole. It never ends the job: what the package manager cannot reach it says itself.
wait_names() {
	waited=0
	while [ "$waited" -lt 60 ]; do
		for host in "$@"; do
			if getent hosts "$host" >/dev/null 2>&1; then
				return 0
			fi
		done
		if [ "$waited" -eq 0 ]; then
			echo "boxdoctor: waiting until one of these names resolves: $*"
		fi
		sleep 5
		waited=$((waited + 5))
	done
	echo "boxdoctor: after a minute none of them resolves; going on"
}

# run_files FOLDER COMMAND... installs package files that lie in a folder, and takes the folder away. When what they
# depend on is nowhere to be had, it is told by name.
run_files() {
	uploads=$1
	shift
	echo "+ $*"
	said=$("$@" 2>&1)
	status=$?
	printf '%s\n' "$said"
	rm -rf "${uploads:?}"
	if [ "$status" -eq 0 ]; then
		return
	fi
	missing=$(printf '%s\n' "$said" | sed -n -e 's/.*nothing provides \(.*\) needed by.*/\1/p' -e 's/^  *Requires: \(.*\)/\1/p' \
		-e 's/.*Depends: \(.*\) but it is not .*/\1/p' -e 's,.*Failed to fetch .*/\([^ /]*\.deb\) .*,\1,p' -e "s/.*unable to satisfy dependency '\([^']*\)' required by.*/\1/p" | tr -d "'" | sort -u)
	if [ -n "$missing" ]; then
		echo "boxdoctor: still missing in the folder of --packages, with a file of each of these it can be tried again:"
		printf '%s\n' "$missing" | sed 's/^/    /'
	fi
	echo "boxdoctor: this command ended with status $status: $*"
	exit "$status"
}

# refresh_apt OPTION... fetches apt's package lists. A repository that fails does not end the job: what is then
# missing says so itself.
refresh_apt() {
	echo "+ apt-get $* update"
	apt-get "$@" update || echo "boxdoctor: apt-get update ended with status $?; going on with what it has"
}

# put replaces file $2 by the bytes of $1 in one step, keeping owner and mode.
put() {
	if [ ! -e "$2" ]; then
		cp -p "$1" "$2"
		return
	fi
	if cp -p "$2" "$2.boxdoctor-new" && cat "$1" >"$2.boxdoctor-new" && mv -f "$2.boxdoctor-new" "$2"; then
		return 0
	fi
	rm -f "$2.boxdoctor-new"
	echo "boxdoctor: $2 could not be written"
	return 1
}

# turn is a link that only one job of the guest can have at a time. It leads nowhere: its text names its owner.
turn=/var/lib/boxdoctor/transaction

# owner PID prints what no two processes of a guest share: number, start, boot. It fails when there is none.
owner() {
	number=$1
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# shellcheck disable=SC2086 # fields; the name before them may hold blanks
	set -- ${stat##*) }
	echo "$number:${20-}:$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
}

# take_turn ends the job when another one that lives has locks off: two of them would save each other's unlocked
# files as originals. The link of a dead one is taken over; only one of many can move it away.
take_turn() {
	me=$(owner $$) || me=$$::
	mkdir -p "${turn%/*}"
	tries=0
	until ln -s "$me" "$turn" 2>/dev/null; do
		held=$(readlink "$turn")
		tries=$((tries + 1))
		if [ -n "$held" ] && [ "$(owner "${held%%:*}")" = "$held" ]; then
			echo "boxdoctor: another boxdoctor job (process ${held%%:*}) has locks off in this guest. Nothing was changed; run it again when that one has ended."
			exit 75
		fi
		if [ "$tries" -gt 20 ]; then
			echo "boxdoctor: $turn could not be written. Nothing was changed."
			exit 75
		fi
		if [ -n "$held" ] && mv "$turn" "$turn.$$" 2>/dev/null; then
			moved=$(readlink "$turn.$$")
			if [ "$moved" != "$held" ]; then
				ln -s "$moved" "$turn" 2>/dev/null # made by another one in the meantime: it keeps it
			fi
			rm -f "$turn.$$"
		fi
	done
}

leave_turn() {
	if [ "$(readlink "$turn" 2>/dev/null)" = "$me" ]; then
		rm -f "$turn"
	fi
}

# open_locks DIR begins a time in which locks may be off; it ends with the job. A folder beside DIR, or DIR itself,
# is that of a job that died with its locks off: they must go back before anything else is saved.
open_locks() {
	take_turn
	trap leave_turn EXIT
	for other in "${1%/*}"/*; do
		if [ -d "$other" ]; then
			echo "boxdoctor: an earlier package transaction was cut off before it put its locks back ($other). Nothing was changed; the next 'boxdoctor fix' of this machine puts them back first."
			exit 75
		fi
	done
	pending=$1
	count=0
	keep=no
	trap 'restore_locks $?' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	mkdir -p "$pending" "$(dirname "$(dirname "$pending")")/backup" || exit 1
	chmod 0700 "$pending"
}

# save FILE keeps the original before it is touched, for this job and as a backup for people. The path is put in
# place last and in one step: only a whole copy is ever put back.
save() {
	count=$((count + 1))
	original=$(readlink -f "$1") && [ -n "$original" ] || exit 1
	cp -p "$1" "$pending/$count.orig" || exit 1
	backup=/var/lib/boxdoctor/backup/$(basename "$pending")$1
	mkdir -p "$(dirname "$backup")"
	cp -p "$1" "$backup"
	printf '%s\n' "$original" >"$pending/path.new"
	if [ "$(cat "$pending/path.new")" != "$original" ] || ! mv -f "$pending/path.new" "$pending/$count.path"; then
		echo "boxdoctor: $pending could not be written; $1 was not touched"
		exit 1
	fi
}

# unlock FILE LINE... takes whole lines out of a lock list. What it writes is kept as N.lines, so that what people
# change in the meantime is seen.
unlock() {
	file=$(readlink -f "$1") || exit 1
	shift
	save "$file"
	echo "+ unlock in $file:"
	: >"$pending/out"
	for line in "$@"; do
		echo "    $line"
		printf '%s\n' "$line" >>"$pending/out"
	done
	grep -v -x -F -f "$pending/out" "$pending/$count.orig" >"$pending/new"
	if [ "$?" -gt 1 ] || ! cp "$pending/new" "$pending/$count.lines" || ! put "$pending/new" "$file"; then
		exit 1
	fi
	rm -f "$pending/out" "$pending/new"
}

# unlocked keeps what a package manager has made of the file saved last, for the same end.
unlocked() {
	[ ! -e "$original" ] || cp "$original" "$pending/$count.text" || exit 1
}

# lock_again reads, from standard input, what the file saved last shall hold when the transaction succeeded.
lock_again() {
	cat >"$pending/$count.after" || exit 1
}

# unhold PACKAGE... takes apt holds off, once their names are safe on the disk.
unhold() {
	for name in "$@"; do
		echo "$name" >>"$pending/holds"
		if ! grep -q -x -F -e "$name" "$pending/holds"; then
			echo "boxdoctor: $pending/holds could not be written; nothing was taken off hold"
			exit 1
		fi
	done
	run apt-mark unhold "$@"
}

# keep_unlocked leaves the locks off (--keep-unlocked); the originals stay in the backup folder.
keep_unlocked() {
	keep=yes
}

restore_locks() {
	trap - EXIT
	trap '' HUP INT TERM
	if [ "$keep" = yes ] && [ "$1" -eq 0 ]; then
		echo "boxdoctor: locks stay off; their originals are in /var/lib/boxdoctor/backup/$(basename "$pending")"
		rm -rf "$pending"
	else
		restore_dir "$pending" "$1" || if [ "$1" -eq 0 ]; then set -- 74; fi
	fi
	leave_turn
	exit "$1"
}

same() {
	[ -e "$1" ] && [ -e "$2" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

# put_back BASE FILE WANT gives the file the bytes of WANT: with its new content, or all that it was.
put_back() {
	if [ "$3" = "$1.after" ]; then
		put "$3" "$2" && echo "+ locked again in $2, at the new version"
	elif cp -p "$3" "$2.boxdoctor-new" && mv -f "$2.boxdoctor-new" "$2"; then
		echo "+ restored $2"
	else
		rm -f "$2.boxdoctor-new"
		return 1
	fi
}

# without LINES FILE prints the lines of FILE that are not in LINES. (Some greps match all by an empty list.)
without() {
	if [ -s "$1" ]; then
		grep -v -x -F -f "$1" "$2"
		[ "$?" -le 1 ]
	else
		cat "$2"
	fi
}

# add_back BASE FILE WANT: somebody has edited the list since it was unlocked. That stays; only the lines that
# unlocking took away are added.
add_back() {
	without "$1.lines" "$3" >"$1.gone" || return 1
	{
		cat "$2" && if [ -n "$(tail -c 1 "$2")" ]; then echo; fi && without "$2" "$1.gone"
	} >"$1.merged" || return 1
	put "$1.merged" "$2" && echo "+ $2 was edited since it was unlocked: that stays, and the lines that were taken off are added again"
}

# copy_aside DIR FILE keeps the present file for people before it is overwritten.
copy_aside() {
	aside=/var/lib/boxdoctor/backup/${1##*/}$2.changed-since
	if mkdir -p "${aside%/*}" && cp -p "$2" "$aside"; then
		echo "+ $2 was changed since it was unlocked; as it is now it is kept in $aside"
	else
		return 1
	fi
}

# restore_file DIR BASE FILE STATUS. A file that holds what unlocking wrote is simply put back.
restore_file() {
	want=$2.orig
	if [ "$4" -eq 0 ] && [ -e "$2.after" ]; then
		want=$2.after
	fi
	if [ ! -e "$3" ] || same "$3" "$2.lines" || same "$3" "$2.text" || same "$3" "$2.orig"; then
		put_back "$2" "$3" "$want"
	elif [ -e "$2.lines" ]; then
		add_back "$2" "$3" "$want"
	else
		copy_aside "$1" "$3" && put_back "$2" "$3" "$want"
	fi
}

# restore_dir DIR STATUS puts locks back: the new version after a success that changed it, else the original. What
# cannot be put back (a full disk) keeps the folder, so that the next run finds it. A folder without the path of a
# file is that of a job that ended before it touched the file.
restore_dir() {
	left=no
	for path in "$1"/*.path; do
		if [ ! -e "$path" ]; then
			continue
		fi
		file=$(cat "$path")
		[ -n "$file" ] || continue
		restore_file "$1" "${path%.path}" "$file" "$2" || left=yes
	done
	if [ -e "$1/holds" ]; then
		while read -r name; do
			apt-mark hold "$name" || left=yes
		done <"$1/holds"
	fi
	if [ "$left" = yes ]; then
		echo "boxdoctor: not everything could be locked again; the originals are in $1"
		return 1
	fi
	rm -rf "$1"
}

# use_compiler NAME DIR puts the compiler that fits the kernel first in PATH: gcc-toolset-N and devtoolset-N lie below
# /opt/rh, gcc-N becomes gcc in the folder DIR. An empty name changes nothing.
use_compiler() {
	case $1 in
	'') return 0 ;;
	*toolset-*) PATH=/opt/rh/$1/root/usr/bin:$PATH ;;
	*)
		compiler=$(command -v "$1") || return 0
		mkdir -p "$2" && ln -sfn "$compiler" "$2/gcc"
		PATH=$2:$PATH
		;;
	esac
	export PATH
	echo "+ compiler: $(gcc --version 2>/dev/null | head -n 1)"
}

# with_tmp yes|no DIR COMMAND... runs a build that has /tmp/vbox.0 written into it. "yes": /tmp is too small or
# forbids programs, so the command gets DIR as its /tmp, in a mount namespace in which nothing else is private
# (unmounting a share must reach the whole guest).
with_tmp() {
	if [ "$1" != yes ]; then
		shift 2
		"$@"
		return
	fi
	shift
	mkdir -p "$1"
	unchanged='--propagation unchanged'
	# shellcheck disable=SC2086 # two words, or none before util-linux 2.26
	if ! unshare -m $unchanged true 2>/dev/null; then
		unchanged=
	fi
	# shellcheck disable=SC2086,SC2016
	unshare -m $unchanged sh -c 'mount --make-private /tmp && mount --bind "$1" /tmp && shift && exec "$@"' sh "$@"
}
