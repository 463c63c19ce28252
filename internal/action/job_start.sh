# Starts a detached job once. $1 is its folder; the rest are the job's own arguments.
# job_script, defined above this text, prints the job's script.
set -eu
umask 077
dir=$1
shift
if [ -e "$dir/pid" ]; then
	exit 0
fi
mkdir -p "$dir"
job_script >"$dir/script"
cat >"$dir/run" <<'RUN'
dir=$1
shift
echo $$ >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"
sh "$dir/script" "$@" >"$dir/log" 2>&1 </dev/null
echo $? >"$dir/rc.new"
mv "$dir/rc.new" "$dir/rc"
RUN
: >"$dir/log"
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
