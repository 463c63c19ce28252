# shellcheck shell=sh
# Runs the probe with what the guest has. $1 is the probe in Python, $2 in Perl, then its arguments: serve TOKEN, or
# dial TOKEN SECONDS PACKETS TARGET…, a TARGET being tcp:ADDRESS:PORT, udp:ADDRESS:PORT or name:HOST:PORT.
bd_python=$1 bd_perl=$2
shift 2

# bd_bounded SECONDS COMMAND…: ends it after that time, and says so.
bd_bounded() {
	bd_n=$(($1 * 10))
	shift
	"$@" </dev/null &
	bd_pid=$!
	while [ "$bd_n" -gt 0 ] && kill -0 "$bd_pid" 2>/dev/null; do
		sleep 0.1 2>/dev/null || { sleep 1; bd_n=$((bd_n - 9)); }
		bd_n=$((bd_n - 1))
	done
	if kill "$bd_pid" 2>/dev/null; then echo "timed out"; fi
	wait "$bd_pid"
}

# bd_lookup HOST PORT SECONDS: name/HOST/PORT/ADDRESS for the first addresses that this machine knows a name by; for
# ADDRESS "timed", or the status of getent (2: there is no such name).
bd_lookup() {
	{
		bd_bounded "$3" getent ahosts "$1" 2>/dev/null
		echo "status $?"
	} | {
		bd_found=0
		while read -r bd_a bd_b _; do
			case "$bd_a $bd_b" in
			*" STREAM") [ "$bd_found" -lt 4 ] && echo "name/$1/$2/$bd_a" && bd_found=$((bd_found + 1)) ;;
			"timed out") echo "name/$1/$2/timed" ;;
			"status "[1-9]*) echo "name/$1/$2/$bd_b" ;;
			esac
		done
	}
}

# Names are looked up all at once, and their addresses become targets; port 0 is only looked up.
bd_names=$(
	for bd_t; do
		bd_h=${bd_t#name:}
		if [ "$bd_h" != "$bd_t" ]; then bd_lookup "${bd_h%:*}" "${bd_t##*:}" "$3" & fi
	done
	wait
)
for bd_t in $bd_names; do
	echo "$bd_t"
	bd_a=${bd_t##*/} bd_h=${bd_t%/*}
	case $bd_a/${bd_h##*/} in
	*/0 | *[!0-9./]*) ;;
	*.*) set -- "$@" "tcp:$bd_a:${bd_h##*/}" ;;
	esac
done

if perl -MTime::HiRes -MSocket -e 1 2>/dev/null; then exec perl -e "$bd_perl" -- "$@"; fi
for bd_p in python3 /usr/libexec/platform-python python python2; do
	if command -v "$bd_p" >/dev/null 2>&1; then exec "$bd_p" -c "$bd_python" "$@"; fi
done
if [ "$1" = serve ]; then
	echo none
	exit 0
fi

# Without either only TCP can be tried, one target after the other, by bash or by nc.
bd_limit=$3
shift 4
# bd_connect ADDRESS PORT
bd_connect() {
	if command -v bash >/dev/null 2>&1; then
		# shellcheck disable=SC2016 # bash's own arguments
		bd_bounded "$bd_limit" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"
	else
		nc -w "$bd_limit" "$1" "$2" </dev/null >/dev/null
	fi
}
for bd_t; do
	bd_port=${bd_t##*:}
	bd_addr=${bd_t#*:}
	bd_addr=${bd_addr%:*}
	case $bd_t in udp:* | name:*) continue ;; esac
	bd_said=$(bd_connect "$bd_addr" "$bd_port" 2>&1)
	case $?:$bd_said in
		0:*) echo "tcp $bd_addr $bd_port open -1 -" ;;
		*refused*) echo "tcp $bd_addr $bd_port refused" ;;
		*"etwork is unreachable"*) echo "tcp $bd_addr $bd_port no_network" ;;
		*"o route to host"* | *unreachable*) echo "tcp $bd_addr $bd_port no_host" ;;
		*) echo "tcp $bd_addr $bd_port timeout" ;;
	esac
done
echo end
