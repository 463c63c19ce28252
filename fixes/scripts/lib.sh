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

# busy names package managers that work right now.
busy() {
	for name in yum dnf dnf5 apt-get apt dpkg unattended-upgr zypper pacman rpm; do
		if pgrep -x "$name" >/dev/null 2>&1; then
			echo "$name"
		fi
	done
	if command -v cloud-init >/dev/null 2>&1; then
		case $(cloud-init status 2>/dev/null) in *running*) echo cloud-init ;; esac
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

# open_locks DIR begins a time in which locks may be off; it ends with the job.
open_locks() {
	pending=$1
	count=0
	keep=no
	mkdir -p "$pending" "$(dirname "$(dirname "$pending")")/backup"
	chmod 0700 "$pending"
	trap 'restore_locks $?' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# save FILE keeps the original before it is touched, for this job and as a backup for people.
save() {
	count=$((count + 1))
	cp -p "$1" "$pending/$count.orig" || exit 1
	readlink -f "$1" >"$pending/$count.path" || exit 1
	backup=/var/lib/boxdoctor/backup/$(basename "$pending")$1
	mkdir -p "$(dirname "$backup")"
	cp -p "$1" "$backup"
}

# unlock FILE LINE... takes whole lines out of a lock list.
unlock() {
	file=$(readlink -f "$1") || exit 1
	shift
	save "$file"
	echo "+ unlock in $file:"
	: >"$pending/lines"
	for line in "$@"; do
		echo "    $line"
		printf '%s\n' "$line" >>"$pending/lines"
	done
	grep -v -x -F -f "$pending/lines" "$pending/$count.orig" >"$pending/new"
	if [ "$?" -gt 1 ] || ! put "$pending/new" "$file"; then
		exit 1
	fi
	rm -f "$pending/lines" "$pending/new"
}

# lock_again reads, from standard input, what the file saved last shall hold when the transaction succeeded.
lock_again() {
	cat >"$pending/$count.after" || exit 1
}

# unhold PACKAGE... takes apt holds off.
unhold() {
	for name in "$@"; do
		echo "$name" >>"$pending/holds"
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
	exit "$1"
}

# restore_dir DIR STATUS puts locks back: the new version after a success that changed it, else the original. What
# cannot be put back (a full disk) keeps the folder, so that the next run finds it.
restore_dir() {
	left=no
	for path in "$1"/*.path; do
		if [ ! -e "$path" ]; then
			continue
		fi
		base=${path%.path}
		file=$(cat "$path")
		if [ "$2" -eq 0 ] && [ -e "$base.after" ]; then
			if put "$base.after" "$file"; then
				echo "+ locked again in $file, at the new version"
			else
				left=yes
			fi
		elif cp -p "$base.orig" "$file.boxdoctor-new" && mv -f "$file.boxdoctor-new" "$file"; then
			echo "+ restored $file"
		else
			rm -f "$file.boxdoctor-new"
			left=yes
		fi
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
