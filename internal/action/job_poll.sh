# Says how a job stands. $1 is its folder, $2 the first byte of the log to print (counting from 1).
# First line: "running", "done STATUS" or "gone"; then the log from there on, at most 256 KiB.
set -eu
dir=$1

# alive: after a reboot another process may have the job's number; the command line of a job names its folder.
alive() {
	if [ ! -e "$dir/pid" ]; then
		return 1
	fi
	pid=$(cat "$dir/pid")
	if ! kill -0 "$pid" 2>/dev/null; then
		return 1
	fi
	if [ ! -r "/proc/$pid/cmdline" ]; then
		return 0
	fi
	case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
	*"$dir"*) return 0 ;;
	esac
	return 1
}

if [ -e "$dir/rc" ]; then
	echo "done $(cat "$dir/rc")"
elif alive; then
	echo running
elif [ -e "$dir/rc" ]; then
	# It ended between the two looks.
	echo "done $(cat "$dir/rc")"
else
	echo gone
fi
if [ -e "$dir/log" ]; then
	tail -c "+$2" "$dir/log" | head -c 262144
fi
