# Tells whether the log agent is well, waiting for it at most $1 seconds (0: looks once). $2 its service, $3 fluent-bit or
# rsyslog, $4 the port of Fluent Bit's health answer or rsyslog's statistics, $5 rsyslog's pid file, $6 its own log.
# What the agent said last is shown when it is not well. Uses only what the guest has.
set -u
LC_ALL=C
export LC_ALL

# answer prints what Fluent Bit says on its port, and nothing when it does not.
answer() {
	if command -v curl >/dev/null 2>&1; then
		curl -s -m 5 --noproxy '*' "http://127.0.0.1:$1/api/v1/health" 2>/dev/null
	elif command -v bash >/dev/null 2>&1; then
		# shellcheck disable=SC2016 # the other shell's $1
		timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1; printf "GET /api/v1/health HTTP/1.0\r\n\r\n" >&3; tail -n 1 <&3' bash "$1" 2>/dev/null
	else
		python3 -c 'import sys, urllib.request as u; print(u.urlopen("http://127.0.0.1:%s/api/v1/health" % sys.argv[1], timeout=5).read().decode())' "$1" 2>/dev/null
	fi
}

# look sets why, empty when the agent is well.
look() {
	why=''
	if [ "$(systemctl is-active "$2" 2>/dev/null)" != active ]; then
		why="the service $2 does not run"
	elif [ "$3" = fluent-bit ]; then
		said=$(answer "$4" | tr -d '\r\n' | head -c 100)
		case $said in
		ok) ;;
		'') why="nothing answers on 127.0.0.1:$4/api/v1/health" ;;
		*) why="127.0.0.1:$4/api/v1/health says $said" ;;
		esac
	elif [ -z "$(find "$4" -newer "$5" -mmin -1 2>/dev/null)" ]; then
		why="rsyslog has written nothing to $4 since it started, or for a minute"
	fi
}

waited=0
while :; do
	look "$@"
	if [ -z "$why" ] || [ "$waited" -ge "$1" ]; then break; fi
	sleep 1
	waited=$((waited + 1))
done
if [ -z "$why" ]; then
	echo well
	exit 0
fi
printf '%s\n' "$why"
if [ "$1" -gt 0 ]; then
	systemctl status --no-pager -l -n 0 "$2" 2>&1 | head -n 12
	journalctl --no-pager -o cat -n 15 -u "$2" 2>/dev/null
	tail -n 10 "$6" 2>/dev/null
fi
exit 1
