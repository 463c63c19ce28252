# shellcheck shell=sh
# Runs the probe with what the guest has. $1 is the probe in Python, $2 in Perl, then its arguments: serve TOKEN, or
# dial TOKEN SECONDS PACKETS TARGET…, a TARGET being tcp:ADDRESS:PORT or udp:ADDRESS:PORT.
bd_python=$1 bd_perl=$2
shift 2
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
		bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" </dev/null &
		bd_pid=$!
		bd_n=$((bd_limit * 10))
		while [ "$bd_n" -gt 0 ] && kill -0 "$bd_pid" 2>/dev/null; do
			sleep 0.1 2>/dev/null || { sleep 1; bd_n=$((bd_n - 9)); }
			bd_n=$((bd_n - 1))
		done
		if kill "$bd_pid" 2>/dev/null; then echo "timed out"; fi
		wait "$bd_pid"
	else
		nc -w "$bd_limit" "$1" "$2" </dev/null >/dev/null
	fi
}
for bd_t; do
	bd_port=${bd_t##*:}
	bd_addr=${bd_t#*:}
	bd_addr=${bd_addr%:*}
	case $bd_t in udp:*) continue ;; esac
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
