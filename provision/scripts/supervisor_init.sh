#!/bin/sh
# boxdoctor provision: Supervisor where there is no systemd.
# chkconfig: 345 83 04
# description: Supervisor (boxdoctor)
### BEGIN INIT INFO
# Provides: supervisord
# Required-Start: $remote_fs $syslog $network
# Required-Stop: $remote_fs $syslog $network
# Default-Start: 3 4 5
# Default-Stop: 0 1 2 6
# Short-Description: Supervisor (boxdoctor)
### END INIT INFO
# @BIN@, @MAIN@, @PID@ and @STOP@ (seconds that a stop may take) are filled in.
PATH=/sbin:/usr/sbin:/bin:/usr/bin
export PATH
bin=@BIN@ main=@MAIN@ pidfile=@PID@ patience=@STOP@

# alive prints the process of supervisord: the one of the pid file, if it is a supervisord still.
alive() {
	pid=$(cat "$pidfile" 2>/dev/null) || return 1
	case $pid in '' | *[!0-9]*) return 1 ;; esac
	tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q supervisord || return 1
	echo "$pid"
}

start() {
	if alive >/dev/null; then return 0; fi
	"$bin/supervisord" -c "$main" || return 1
	waited=0
	until "$bin/supervisorctl" -c "$main" pid >/dev/null 2>&1; do
		waited=$((waited + 1))
		if [ "$waited" -gt 30 ]; then
			echo "supervisord does not answer after $waited s"
			return 1
		fi
		sleep 1
	done
}

# stop ends the programs in their order, as supervisord does at SIGTERM, and waits for it.
stop() {
	pid=$(alive) || return 0
	kill -TERM "$pid"
	waited=0
	while [ "$(alive)" = "$pid" ]; do
		waited=$((waited + 1))
		if [ "$waited" -gt "$patience" ]; then
			echo "supervisord (process $pid) does not end after $patience s"
			return 1
		fi
		sleep 1
	done
}

case ${1:-} in
start) start ;;
stop) stop ;;
restart | force-reload) stop && start ;;
reload) "$bin/supervisorctl" -c "$main" update ;;
status)
	if pid=$(alive); then
		echo "supervisord (process $pid) runs"
	else
		echo "supervisord does not run"
		exit 3
	fi
	;;
*)
	echo "usage: $0 start|stop|restart|reload|force-reload|status"
	exit 2
	;;
esac
