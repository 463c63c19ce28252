# Many short steps in one job, until one does not succeed. Each is a file of its own beside the job's script, so that
# neither a step's end nor what it sets reaches the next. note is defined above this text.
set -u
umask 077
dir=${0%/*}

# prepare NUMBER SCRIPT STDIN KEEPS puts a step's texts in place.
prepare() {
	printf '%s\n' "$2" >"$dir/step$1" && printf %s "$3" >"$dir/step$1.in" && printf %s "$4" >"$dir/step$1.keeps"
}

# ended STATUS says which step did not succeed, in the last line of the log, and ends the job.
ended() {
	echo "boxdoctor: step $number ended with status $1"
	exit "$1"
}

# step NUMBER TITLE NOTES ARGUMENT... runs a step; NOTES is the folder for how things were that it changes, or nothing.
step() {
	number=$1 title=$2 notes=$3
	shift 3
	echo "+ $title"
	if [ -n "$notes" ] && ! note was "$dir/step$number.keeps" "$notes"; then
		echo "boxdoctor: what this changes could not be copied to $notes first, so nothing was changed"
		ended 73
	fi
	(umask 022 && exec sh "$dir/step$number" "$@" <"$dir/step$number.in")
	rc=$?
	[ -z "$notes" ] || note left "$dir/step$number.keeps" "$notes" || true
	[ "$rc" -eq 0 ] || ended "$rc"
}
