# Restarts one mongod that must take up its configuration. $1 the unit, $2 the mark that asks for it, $3 check or restart.
# check: ends with 0 when a restart is due, with 3 when not: without a mark, or when mongod started after it was made.
set -eu
pid=''
if [ -d /run/systemd/system ]; then pid=$(systemctl show -p MainPID "$1" | sed 's/^MainPID=//'); fi
if [ "$3" = check ]; then
	[ -e "$2" ] || exit 3
	if [ -n "$pid" ] && [ "$pid" != 0 ]; then
		age=$(ps -o etimes= -p "$pid" 2>/dev/null | tr -d ' ') || age=''
		mark=$(stat -c %Y "$2")
		if [ -n "$age" ] && [ $(($(date +%s) - age)) -gt "$mark" ]; then
			rm -f "$2"
			exit 3
		fi
	fi
	exit 0
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl restart "$1" || { systemctl status --no-pager -l "$1" || true; journalctl --no-pager -n 20 -u "$1" 2>/dev/null || true; exit 1; }
else
	"/etc/init.d/$1" restart
fi
rm -f "$2"
