# Runs before every start of rsyslog as the log agent. $1 its folder. After an end that was not in order (killed, power
# cut) what lay in its memory is gone, and its disk queues cannot be trusted: 8.2302 was seen to crash on them. So the
# queues are put aside, and the files are read again from as far back as queues and memory reached: lines come twice
# rather than never. $2 how many bytes memory may have held, $3 the pid file: rsyslog does not start when a number that
# it finds there belongs to any other process by now.
set -u
LC_ALL=C
export LC_ALL
cd "$1" || exit 1
rm -f "$3"
: >started
if [ ! -e running ]; then
	: >running
	exit 0
fi

back=$2
set -- *.qi
if [ -e "$1" ]; then
	aside=damaged-$(date -u +%Y%m%dT%H%M%SZ)
	mkdir -p "$aside"
	for qi; do
		for part in "$qi" "${qi%.qi}".[0-9]*; do
			[ -e "$part" ] || continue
			back=$((back + $(wc -c <"$part")))
			mv "$part" "$aside/"
		done
	done
	echo "boxdoctor: unfinished queues were put aside into $PWD/$aside; their lines are read again"
fi

for state in imfile-state*; do
	[ -e "$state" ] || continue
	file=$(sed -n 's/.*"filename": *"\([^"]*\)".*/\1/p' "$state" | sed 's,\\/,/,g')
	at=$(sed -n 's/.*"curr_offs": *\([0-9][0-9]*\).*/\1/p' "$state")
	if [ -z "$at" ] || [ ! -f "$file" ] || [ "$(wc -c <"$file")" -lt "$at" ]; then continue; fi
	from=$((at - back))
	if [ "$from" -le 0 ]; then
		from=0
	else
		from=$((from + $(tail -c "+$((from + 1))" "$file" 2>/dev/null | head -n 1 | wc -c))) # the start of a line
	fi
	sed "s/\"curr_offs\": *[0-9]*/\"curr_offs\": $from/; s/\"strt_offs\": *[0-9]*/\"strt_offs\": $from/" "$state" >"$state.new" && mv "$state.new" "$state"
	echo "boxdoctor: $file is read again from byte $from instead of $at"
done
exit 0
