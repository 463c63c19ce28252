# Takes away what an aggregator has received and passed on. $1 the agent's folder, $2 how many bytes its memory may hold.
# A file of received/ goes when what was read of the newer ones is more than a killed agent reads again
# (logs_rewind.sh): memory and unfinished queues. With few records that takes long, so one of yesterday goes as well when
# no queue held anything at the last count.
set -u
LC_ALL=C
export LC_ALL
cd "$1" || exit 1

reach=$2
for qi in *.qi; do
	for part in "$qi" "${qi%.qi}".[0-9]*; do
		[ ! -e "$part" ] || reach=$((reach + $(wc -c <"$part")))
	done
done
held=$(tail -n 60 stats.json 2>/dev/null | grep '"core.queue"' | grep -cv '"size": 0,') # queues that held something

# offset FILE: how far it was read, as far as is known
offset() {
	for state in imfile-state*; do
		[ -e "$state" ] || continue
		if [ "$(sed -n 's/.*"filename": *"\([^"]*\)".*/\1/p' "$state" | sed 's,\\/,/,g')" = "$1" ]; then
			sed -n 's/.*"curr_offs": *\([0-9][0-9]*\).*/\1/p' "$state"
			return
		fi
	done
}

newer=0
for file in received/*.log; do
	at=$(offset "$PWD/$file")
	newer=$((newer + ${at:-0}))
done
for file in received/*.log; do # the oldest first
	at=$(offset "$PWD/$file")
	newer=$((newer - ${at:-0}))
	if [ "$newer" -ge "$reach" ] || { [ "$held" -eq 0 ] && [ -n "$(find "$file" -mmin +1440 2>/dev/null)" ]; }; then
		rm -f "$file"
	fi
done
exit 0
