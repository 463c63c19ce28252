# Says how a job stands. $1 is its folder, $2 the first byte of the log to print (counting from 1).
# First line: "running", "done STATUS" or "gone"; then the log from there on, at most 256 KiB.
set -eu
dir=$1
if [ -e "$dir/rc" ]; then
	echo "done $(cat "$dir/rc")"
elif [ -e "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
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
