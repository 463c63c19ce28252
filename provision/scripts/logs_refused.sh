# After a receiver's certificate was refused rsyslog never tries that destination again and throws its lines away. So it is
# killed at once: the files are read again from before the refusal (logs_rewind.sh). $1 end: run by rsyslog itself
# with a line for every refusal, $3… are the queues whose records may be gone; $1 wait: run before each start, waits after
# a refusal, since the lines of the other destinations come twice with each. $2 the agent's folder.
set -u
if [ "$1" = end ]; then
	read -r _ || exit 0
	refused=$2/refused
	shift 2
	printf '%s\n' "$@" >"$refused"
	kill -KILL "$PPID"
elif [ -e "$2/refused" ]; then
	rm -f "$2/refused"
	echo "boxdoctor: a receiver's certificate was refused (authentication error, above): nothing is sent to anybody until it is right; the next try is in a minute"
	sleep 60
fi
