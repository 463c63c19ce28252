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

# One question a turn: each is a Python start in the guest.
look() { now=$(ctl status 2>/dev/null) || :; }
# states NAME prints "PROGRAM STATE" of a program; GROUP:* means all programs of a group.
states() {
	printf '%s\n' "$now" | while read -r program state rest; do
		# shellcheck disable=SC2254 # the star of GROUP:* is meant
		case $program in $1) printf '%s %s\n' "$program" "$state" ;; esac
	done
}
# wrote PROGRAM prints the end of its standard error, or of its standard output where both go there.
wrote() {
	text=$(ctl tail -2000 "$1" stderr 2>&1 </dev/null) || text=
	case $text in '' | *'ERROR (no log file)'*) text=$(ctl tail -2000 "$1" 2>&1 </dev/null) || : ;; esac
	printf '%s\n' "$text"
}

waited=0
started=no
while :; do
	waiting='' broken=''
	look
	for name in "$@"; do
		found=$(states "$name")
		[ -n "$found" ] || broken="$broken $name"
		for state in $(printf '%s\n' "$found" | cut -d' ' -f2 | sort -u); do
			case $state in
			RUNNING | EXITED) ;;
			STARTING | BACKOFF) waiting="$waiting $name" ;;
			STOPPED) if [ "$started" = no ]; then ctl start "$name" >/dev/null 2>&1; waiting="$waiting $name"; else broken="$broken $name"; fi ;;
			*) broken="$broken $name" ;;
			esac
		done
	done
	started=yes
	if [ -z "$waiting" ] || [ "$waited" -ge "$limit" ]; then break; fi
	sleep 1
	waited=$((waited + 1))
done
printf '%s\n' "$now"
set -f # names that end in :* are no patterns of files
for name in $broken $waiting; do
	result=1
	if [ -z "$(states "$name")" ]; then echo "boxdoctor: $name is not known to supervisord, which has: $(printf '%s' "$now" | cut -d' ' -f1 | tr '\n' ' ')"; fi
	states "$name" | while read -r program state; do
		case $state in
		RUNNING | EXITED) ;;
		*)
			echo "boxdoctor: $program is $state; the end of what it wrote on standard error:"
			wrote "$program"
			;;
		esac
	done
done
exit "${result:-0}"
