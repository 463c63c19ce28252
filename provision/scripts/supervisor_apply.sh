# Makes supervisord take up its configuration and waits until every program stands as it is meant to. Programs whose
# configuration did not change keep running. $1 supervisorctl, $2 main file, $3 how long to wait in seconds; then the
# programs that must run.
set -u
LC_ALL=C
export LC_ALL
ctl=$1 main=$2 limit=$3
shift 3
ctl() { "$ctl" -c "$main" "$@"; }

tries=0
until ctl pid >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ "$tries" -gt 30 ]; then
		echo "boxdoctor: supervisord does not answer:"
		ctl pid
		exit 1
	fi
	sleep 1
done
out=$(ctl update 2>&1)
status=$?
[ -z "$out" ] || printf '%s\n' "$out"
case $status:$out in
0:*ERROR* | [1-9]*)
	echo "boxdoctor: supervisord refuses its configuration; what runs was not touched"
	exit 1
	;;
esac

# states NAME prints the state of a program, GROUP:* those of all programs of a group.
states() {
	ctl status 2>/dev/null | while read -r program state rest; do
		# shellcheck disable=SC2254 # the star of GROUP:* is meant
		case $program in $1) printf '%s\n' "$state" ;; esac
	done | sort -u
}

waited=0
started=no
while :; do
	waiting='' broken=''
	for name in "$@"; do
		for state in $(states "$name"); do
			case $state in
			RUNNING | EXITED) ;;
			STARTING | BACKOFF) waiting="$waiting $name" ;;
			STOPPED) if [ "$started" = no ]; then ctl start "$name" >/dev/null 2>&1; waiting="$waiting $name"; else broken="$broken $name"; fi ;;
			*) broken="$broken $name" ;;
			esac
		done
		[ -n "$(states "$name")" ] || broken="$broken $name"
	done
	started=yes
	if [ -z "$waiting" ] || [ "$waited" -ge "$limit" ]; then break; fi
	sleep 1
	waited=$((waited + 1))
done
ctl status
for name in $broken $waiting; do
	echo "boxdoctor: $name does not run; the end of what it wrote on standard error:"
	ctl status 2>/dev/null | while read -r program state rest; do
		# shellcheck disable=SC2254 # as above
		case $program in $name) ctl tail -2000 "$program" stderr </dev/null ;; esac
	done
	result=1
done
exit "${result:-0}"
