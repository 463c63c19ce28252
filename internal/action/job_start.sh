# Starts a detached job once. $1 is its folder; the rest are the job's own arguments.
# job_script, defined above this text, prints the job's script, job_keeps what it will change (nothing: what it changes
# cannot be put back) and job_keep the functions and the folder for notes of that; sweep and drops are defined there, too.
set -eu
umask 077
dir=$1
shift
if [ -e "$dir/pid" ]; then
	exit 0
fi

# prune keeps the folders of the 20 jobs that ended last, for people; a job that has no exit status is left alone.
prune() {
	ended=0
	# shellcheck disable=SC2045 # the names are ours: digits, letters and a dash
	for old in $(ls -1t "$1" 2>/dev/null); do
		if [ -f "$1/$old/rc" ]; then
			ended=$((ended + 1))
			if [ "$ended" -gt 20 ]; then
				rm -rf "${1:?}/$old"
			fi
		fi
	done
}
prune "${dir%/*}" || true
run=${dir##*/}
# shellcheck disable=SC2154 # drops is defined above this text
sweep "${dir%/*/*}/run" "${run%-*}" "${dir%/*}" "$drops" || true

# A start whose link was cut is repeated, perhaps while the first one is still at work: files are put in place
# in one step, and the job belongs to whoever makes the folder "claim" first.
mkdir -p "$dir"
job_script >"$dir/script.$$"
mv -f "$dir/script.$$" "$dir/script"
job_keeps >"$dir/keeps.$$"
mv -f "$dir/keeps.$$" "$dir/keeps"
job_keep >"$dir/keep.$$"
mv -f "$dir/keep.$$" "$dir/keep"
cat >"$dir/run.$$" <<'RUN'
dir=$1
shift
mkdir "$dir/claim" 2>/dev/null || exit 0
echo $$ >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"
cd /
rc=0
if [ -s "$dir/keeps" ]; then
	. "$dir/keep"
	note was "$dir/keeps" "$notes" >"$dir/log" 2>&1 </dev/null || rc=73
fi
umask 022
if [ "$rc" -eq 0 ]; then
	sh "$dir/script" "$@" >>"$dir/log" 2>&1 </dev/null
	rc=$?
	umask 077
	[ ! -s "$dir/keeps" ] || note left "$dir/keeps" "$notes" >>"$dir/log" 2>&1 </dev/null || true
else
	echo "boxdoctor: what this changes could not be copied to $notes first, so nothing was changed" >>"$dir/log"
fi
echo "$rc" >"$dir/rc.new"
mv "$dir/rc.new" "$dir/rc"
RUN
mv -f "$dir/run.$$" "$dir/run"
if command -v setsid >/dev/null 2>&1; then
	setsid sh "$dir/run" "$dir" "$@" >/dev/null 2>&1 </dev/null &
else
	nohup sh "$dir/run" "$dir" "$@" >/dev/null 2>&1 </dev/null &
fi
# The job itself writes pid: a start is complete only when it is there.
n=0
while [ ! -e "$dir/pid" ]; do
	n=$((n + 1))
	if [ "$n" -gt 50 ]; then
		echo "the job did not start within 5 seconds" >&2
		exit 1
	fi
	sleep 0.1 2>/dev/null || sleep 1
done
