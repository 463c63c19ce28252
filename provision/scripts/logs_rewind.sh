# Runs around rsyslog as the log agent, in its folder $2. 8.2302 cannot be trusted with its own queues: after a kill or a
# power cut it was seen to lose lines, to stand still and to crash, and at an end in order it throws away what it has in
# hand for a destination that does not answer. So what the queues hold is laid into files that it reads like any other,
# and those go once they are read. Records are text: a line for each property, "+NAME:TYPE:LENGTH:VALUE:", and >End.
#   wait DIR                before a rotation: until it has nearly read what there is, a minute at most, because it never
#                           reads what it has not opened when it is renamed
#   halt DIR                before it is told to end: keeps the files of the queues, of which it removes those in hand
#   stop DIR                after its end: notes whether the end was in order, and whether nothing was left to send
#   start DIR BACK PIDFILE PATTERN…  before it. BACK is how many bytes of a file to read again after a kill, because the memory of
#                           Kafka's client held them, or RELP has thrown them away (logs_refused.sh). Of each PATTERN rotated files are read as well, but not those
#                           that were there before it came. The pid file goes, because rsyslog does not start when any other
#                           process has its number by now.
set -u
LC_ALL=C
export LC_ALL
cd "$2" || exit 1

# queues names the queues that have files, parts NAME the files of one, the oldest first.
queues() {
	for f in *.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]; do
		[ ! -e "$f" ] || printf '%s\n' "${f%.*}"
	done | sort -u
}

parts() { printf '%s\n' "$1".[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]; }

# state sets file, at and inode: how far rsyslog has read which file, as it noted itself.
state() {
	file=$(sed -n 's/.*"filename": *"\([^"]*\)".*/\1/p' "$1" | sed 's,\\/,/,g')
	at=$(sed -n 's/.*"curr_offs": *\([0-9][0-9]*\).*/\1/p' "$1")
	inode=${1#imfile-state:}
	inode=${inode%%:*}
	[ -n "$file" ] && [ -n "$at" ]
}

size() { wc -c <"$1" | tr -d ' '; }

# inodes FILE… prints those of the files that there are.
# shellcheck disable=SC2012 # stat is not everywhere the same
inodes() { ls -di -- "$@" 2>/dev/null | awk '{ print $1 }'; }

# current lists the files that rsyslog will go on with, as STATE, AT and FILE.
current() {
	for s in imfile-state:*; do
		if [ ! -e "$s" ] || ! state "$s"; then continue; fi
		case $file in "$PWD"/again-*) continue ;; esac
		if [ -f "$file" ] && [ "$(inodes "$file")" = "$inode" ] && [ "$(size "$file")" -ge "$at" ]; then
			printf '%s\t%s\t%s\n' "$s" "$at" "$file"
		fi
	done
}

# behind tells whether more than 64 KiB of a file are not read yet.
behind() {
	current | while IFS=$tab read -r _ done_to name; do
		if [ $(($(size "$name") - done_to)) -gt 65536 ]; then echo "$name"; fi
	done | grep -q .
}

tab=$(printf '\t')
if [ "$1" = wait ]; then
	n=0
	while [ $n -lt 60 ] && behind; do
		sleep 1
		n=$((n + 1))
	done
	exit 0
fi

if [ "$1" = halt ]; then
	rm -rf kept && mkdir kept || exit 1
	for q in $(queues); do
		# shellcheck disable=SC2046 # names of parts hold no blanks
		ln $(parts "$q") kept/
	done
	exit 0
fi

if [ "$1" = stop ]; then
	# systemd before 232 does not say how it ended: then no end counts as in order
	if [ "${SERVICE_RESULT-}" = success ]; then
		: >ended
		if [ -z "$(queues)" ]; then rm -rf running ended kept; fi
	fi
	exit 0
fi

# tidy removes files of an earlier start that were read to their end; what is in them for RELP after a refusal is read
# once more.
tidy() {
	for s in imfile-state:*; do
		if [ ! -e "$s" ] || ! state "$s"; then continue; fi
		q=${file#"$PWD/again-"}
		if [ "$q" != "$file" ] && refused "${q%-*-*}"; then
			rm -f "$s"
			continue
		fi
		case $file in
		"$PWD"/again-*) if [ ! -e "$file" ] || [ "$(size "$file")" -eq "$at" ]; then rm -f "$file" "$s"; fi ;;
		esac
	done
}

# refused tells whether RELP has thrown away records of a queue.
refused() { [ -e refused ] && grep -qx -e "$1" refused; }

# again QUEUE prints what the queue of a destination holds: its records as JSON. After a refusal those that came from files
# of an earlier start are left out (their tag is the queue), because these are read once more.
again() {
	skip=-
	if refused "$1"; then skip=$1; fi
	# shellcheck disable=SC2046 # names of parts hold no blanks
	awk -v skip="$skip" '/^\+pszTAG:1:[0-9]+:/ { sub(/^\+pszTAG:1:[0-9]+:/, ""); sub(/:$/, ""); tag = $0 }
		/^\+json:1:[0-9]+:/ { sub(/^\+json:1:[0-9]+:/, ""); sub(/:$/, ""); json = $0 }
		/^>End/ { if (json != "" && tag != skip) print json; json = "" }' $(parts "$1")
}

# lines prints what the queue of lines holds, as TAG, FILE and LINE, unless the line is in a file that rsyslog goes on with:
# how far back that file must be read is written to read-from. Where offsets fall, a new file of that name began.
lines() {
	: >read-from
	# shellcheck disable=SC2046 # names of parts hold no blanks
	awk -F '\t' 'pass == 0 { here[$3] = 1; next }
		/^\+pszTAG:1:[0-9]+:/ { sub(/^\+pszTAG:1:[0-9]+:/, ""); sub(/:$/, ""); tag = $0 }
		/^\+pszRawMsg:1:[0-9]+:/ { sub(/^\+pszRawMsg:1:[0-9]+:/, ""); sub(/:$/, ""); line = $0 }
		/^\+json:1:[0-9]+:/ {
			name = at = $0
			sub(/^.*"filename": *"/, "", name); sub(/", *"fileoffset".*$/, "", name); gsub(/\\\//, "/", name)
			sub(/^.*"fileoffset": *"*/, "", at); at += 0
		}
		!/^>End/ { next }
		pass == 1 {
			if (!(name in last) || at < last[name]) { begin[name] = n[name] + 0; from[name] = at }
			last[name] = at; n[name]++
			next
		}
		tag == "read" { print line; next }
		{ if (!(name in here) || seen[name]++ < begin[name]) print tag "\t" name "\t" line }
		END { for (name in from) if (name in here) printf "%d\t%s\n", from[name], name >"read-from" }' \
		pass=0 files-now pass=1 $(parts read) pass=2 $(parts read)
}

# rewind STATE AT FILE BACK makes rsyslog read a file again.
# One refusal after another does not go further back than the first.
rewind() {
	from=$(awk -F '\t' -v file="$3" '$2 == file { print $1 }' read-from)
	if [ -z "$from" ] || [ "$from" -gt "$2" ]; then from=$2; fi
	case $3 in
	*.[2-9] | *.[0-9][0-9]) by=0 ;; # rotated before the last time: no client holds its lines
	*) by=$4 ;;
	esac
	if [ "$by" -gt 0 ]; then
		from=$((from - by))
		floor=$(awk -F '\t' -v file="$3" '$2 == file { print $1 }' floor 2>/dev/null)
		if [ -n "$floor" ] && [ "$from" -lt "$floor" ]; then
			from=$floor
		elif [ "$from" -le 0 ]; then
			from=0
		else
			from=$((from + $(tail -c "+$((from + 1))" "$3" 2>/dev/null | head -n 1 | wc -c))) # the start of a line
		fi
	fi
	printf '%s\t%s\n' "$from" "$3" >>floor.new
	if [ "$from" -eq "$2" ]; then return; fi
	sed "s/\"curr_offs\": *[0-9]*/\"curr_offs\": $from/; s/\"strt_offs\": *[0-9]*/\"strt_offs\": $from/" "$1" >state.new && mv state.new "$1" &&
		echo "boxdoctor: $3 is read again from byte $from instead of $2"
}

# rotated PATTERN names its rotated files, as rsyslog reads them.
rotated() {
	# shellcheck disable=SC2231 # a pattern
	for f in $1.[0-9] $1.[0-9][0-9] $1-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]; do
		if [ -f "$f" ]; then printf '%s\n' "$f"; fi
	done
}

# past PATTERN notes rotated files as read that were there before rsyslog came.
past() {
	if grep -qxF -e "$1" known 2>/dev/null; then return; fi
	rotated "$1" | while IFS= read -r f; do
		i=$(inodes "$f")
		if [ -n "$i" ] && [ -z "$(find . -name "imfile-state:$i" -o -name "imfile-state:$i:*")" ]; then
			printf '{ "filename": "%s", "prev_was_nl": 0, "curr_offs": %s, "strt_offs": %s }' "$f" "$(size "$f")" "$(size "$f")" >"imfile-state:$i"
		fi
	done
	printf '%s\n' "$1" >>known
}

# forget removes notes of a day and more ago about files that are gone: rsyslog keeps them, because a file may have got
# another name.
forget() {
	for p in "$PWD/again-*.log" "$@"; do
		# shellcheck disable=SC2046,SC2086 # a pattern; names of rotated files hold no blanks
		inodes $p $(rotated "$p")
	done >here
	find . -name 'imfile-state:*' -mtime +0 | while IFS= read -r s; do
		i=${s#./imfile-state:}
		grep -qx -e "${i%%:*}" here || rm -f "$s"
	done
	rm -f here
}

# sent QUEUE: what it held lies in again.new, and on the disk, before its own files go.
sent() {
	to=again-$1-$now-$$.log
	# shellcheck disable=SC2046 # names of parts hold no blanks
	mv again.new "$to" && sync && rm -f $(parts "$1") "$1.qi"
	echo "boxdoctor: $(wc -l <"$to" | tr -d ' ') records of the unfinished queue $1 are sent again"
}

# aside QUEUE: it could not be read.
aside() {
	# shellcheck disable=SC2046 # names of parts hold no blanks
	mkdir -p "damaged-$now" && mv $(parts "$1") "damaged-$now/"
	rm -f "$1.qi"
	echo "boxdoctor: the unfinished queue $1 could not be read and was put aside into $PWD/damaged-$now"
}

rm -f "$4"
: >started
tidy
back=$3
shift 4
for pattern; do past "$pattern"; done
if [ $# -gt 0 ]; then forget "$@"; fi
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
if [ ! -e running ]; then
	echo "$boot" >running
	exit 0
fi
if [ -e ended ]; then # the client had its time, and what it could not send is in a file of its own
	back=0
	for f in kept/*; do
		if [ -e "$f" ] && [ ! -e "${f#kept/}" ]; then mv "$f" .; fi
	done
elif [ "$(cat running)" != "$boot" ] && [ "$back" -lt 4194304 ]; then # without power what was not on the disk yet is gone
	back=4194304
fi
echo "$boot" >running
rm -rf ended kept

now=$(date -u +%Y%m%dT%H%M%SZ)
current >files-now
: >read-from
: >floor.new
if [ ! -e refused ]; then rm -f floor; fi
for q in $(queues); do
	if [ "$q" = read ]; then continue; fi
	if again "$q" >again.new; then sent "$q"; else aside "$q"; fi
done
took=none
if queues | grep -qx read; then
	took=aside
	if lines >again.new; then took=sent; fi
fi
while IFS=$tab read -r s at file; do
	rewind "$s" "$at" "$file" "$back"
done <files-now
if [ $took != none ]; then $took read; fi # last: its files also say from where others are read
rm -f files-now read-from floor
if [ -e refused ]; then mv floor.new floor; else rm -f floor.new; fi
exit 0
