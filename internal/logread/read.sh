# shellcheck shell=sh
# Finds log files, or reads some that belong together, the oldest first, and prints the records that match. Nothing in the
# arguments is ever part of a command: awk gets them by its environment, grep as an argument, names are expanded as names.
#   $1 read, follow, or begin: follow from the first byte · $2 least level, 0 to 5 · $3 type · $4 request · $5 extended regular expression
#   $6 since, in seconds since 1970, 0: from the beginning; then $7… are files, and follow goes on with the last
#   $6 ?: $7… are patterns of files to list. To read: then since and the files come by standard input, one a line, and a dot.
#      To follow: a list comes again whenever other files have the names
# A list is "now SECONDS NANOSECONDS", "file READABLE MTIME SIZE ID PATH", "part …" for a rotated one of the file before it,
# "none PATTERN", and a dot. Of what is read every line begins with R (a record), C (a line that goes on with it) or, after the
# last, E. Standard input is open as long as somebody reads: when it ends, so does this.
BD_MODE=$1 BD_LEVEL=$2 BD_TYPE=$3 BD_REQUEST=$4 BD_RE=$5 BD_SINCE=$6
shift 6
BD_FIRST=
if [ "$BD_MODE" = begin ]; then
	BD_MODE=follow
	BD_FIRST=1
fi

# An expression that is none is told before anything is read: who follows would never hear it.
if [ -n "$BD_RE" ]; then
	bd_said=$(echo | grep -E -e "$BD_RE" 2>&1)
	if [ $? -gt 1 ]; then
		echo "$bd_said" >&2
		exit 4
	fi
fi

# bd_list PATTERN… lists the files.
bd_list() (
	printf 'now %s\n' "$(date '+%s %N')"
	IFS=
	for bd_pattern; do
		bd_n=0
		# shellcheck disable=SC2086 # names are wanted, and with an empty IFS nothing is split
		for bd_f in $bd_pattern; do
			if [ ! -f "$bd_f" ] || [ "$bd_n" -ge 1000 ]; then continue; fi
			bd_n=$((bd_n + 1))
			bd_one file "$bd_f"
			for bd_s in "$bd_f".[0-9]* "$bd_f"-[0-9]*; do
				if [ -f "$bd_s" ]; then bd_one part "$bd_s"; fi
			done
		done
		if [ "$bd_n" = 0 ]; then printf 'none %s\n' "$bd_pattern"; fi
	done
	echo .
)

bd_nl='
'
# bd_one KIND PATH lists one file; a name of several lines is left out.
bd_one() {
	case $2 in *"$bd_nl"*) return ;; esac
	bd_r=-
	if [ -r "$2" ]; then bd_r=r; fi
	printf '%s %s %s %s\n' "$1" "$bd_r" "$(stat -L -c '%Y %s %d:%i' -- "$2" 2>/dev/null)" "$2"
}

bd_nap() { sleep 0.4 2>/dev/null || sleep 1; }

# bd_names PATTERN… prints which files have which names.
bd_names() (
	IFS=
	# shellcheck disable=SC2068 # names are wanted, and with an empty IFS nothing is split
	stat -L -c '%d:%i %n' -- $@ 2>/dev/null
)

# bd_watch PATTERN… lists the files, and again whenever another file has one of the names, as long as $$ lives.
bd_watch() {
	bd_had='?'
	while kill -0 $$ 2>/dev/null; do
		bd_has=$(bd_names "$@")
		if [ "$bd_has" != "$bd_had" ]; then bd_list "$@"; fi
		bd_had=$bd_has
		bd_nap
	done
}

if [ "$BD_SINCE$BD_MODE" = '?follow' ]; then
	bd_watch "$@" &
	cat >/dev/null
	exit 0
fi
if [ "$BD_SINCE" = '?' ]; then
	bd_list "$@"
	IFS= read -r BD_SINCE || exit 0
	set --
	while IFS= read -r bd_f && [ "$bd_f" != . ]; do set -- "$@" "$bd_f"; done
	if [ "$bd_f" != . ]; then exit 0; fi
fi
exec 4<&0 </dev/null
export BD_MODE BD_LEVEL BD_TYPE BD_REQUEST BD_SINCE BD_RE
bd_block=65536
# A record has at most so many lines; what comes after them is left out.
export BD_MOST=250

# The clock of records, for awk: seconds since 1970 of an RFC 3339 time, -1 if it is none. Days are counted once a minute of log.
bd_clock='
function epoch(s,  y, m, d, z, t) {
	if (s !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/) return -1
	if (substr(s, 1, 16) != minute) {
		minute = substr(s, 1, 16)
		y = substr(s, 1, 4) + 0; m = substr(s, 6, 2) + 0; d = substr(s, 9, 2) + 0
		if (m <= 2) { y--; m += 12 }
		base = (365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m - 457) / 5) + d - 719469) * 86400 \
			+ substr(s, 12, 2) * 3600 + substr(s, 15, 2) * 60
	}
	t = base + substr(s, 18) # a number ends where its digits end
	z = substr(s, length(s) - 5)
	if (z ~ /^[-+][0-9][0-9]:[0-9][0-9]$/) t -= (substr(z, 1, 1) == "-" ? -1 : 1) * (substr(z, 2, 2) * 3600 + substr(z, 5, 2) * 60)
	return t
}'

# The filter. Numbered: grep has put "NUMBER:" before lines in which it found the expression and "NUMBER-" before their
# neighbours. A record is kept with the lines that go on with it; the expression may match any of them.
# shellcheck disable=SC2016 # awk's own $
bd_filter='
BEGIN {
	level = ENVIRON["BD_LEVEL"] + 0; type = ENVIRON["BD_TYPE"]; request = ENVIRON["BD_REQUEST"]; since = ENVIRON["BD_SINCE"] + 0
	re = ENVIRON["BD_RE"]; numbered = ENVIRON["BD_NUMBERED"] + 0; flush = ENVIRON["BD_MODE"] == "follow"
	fields = level > 0 || type != "" || request != "" || since > 0
	split("TRACE DEBUG INFO WARN ERROR FATAL", names, " ")
	for (i in names) rank[names[i]] = i - 1
	keep = !fields
	most = ENVIRON["BD_MOST"] + 0
}
function begins(s,  n, at) {
	if (s !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[^|]* [|] /) return 0
	if (!fields) return 1
	n = split(s, f, / [|] /)
	return n >= 9 || n == 8 && s ~ / [|]$/
}
function wanted(  k) {
	if (request != "" && f[5] != request) return 0
	if (level > 0 && (!(f[7] in rank) || rank[f[7]] < level)) return 0
	if (type != "") {
		k = f[6]
		sub(/\[.*/, "", k)
		if (k != type) return 0
	}
	return since <= 0 || epoch(f[1]) >= since
}
{
	line = $0
	found = re == ""
	if (numbered) {
		match(line, /^[0-9]+/)
		if (RLENGTH < 0) { # -- between groups: what comes may be the middle of a record
			any = 0; keep = !fields
			next
		}
		if (re != "") found = substr(line, RLENGTH + 1, 1) == ":"
		line = substr(line, RLENGTH + 2)
	} else if (re != "" && line ~ re) found = 1
	record = begins(line)
	if (record) {
		any = 1
		keep = !fields || wanted()
	}
	if (record || !any) { held = ""; lines = 0; matched = 0 }
	if (!keep || ++lines > most) next
	line = (record ? "R" : "C") line
	if (found) matched = 1
	if (!matched) {
		held = held line "\n"
		next
	}
	print held line
	held = ""
	if (flush) fflush()
}'

# bd_seek FILE SINCE prints the block before which every record is older, by halving. Records of one file are in order; a minute
# is left for those that are not quite.
bd_seek() {
	bd_lo=0
	bd_hi=$(($(stat -L -c %s -- "$1") / bd_block))
	while [ $((bd_hi - bd_lo)) -gt 1 ]; do
		bd_mid=$(((bd_lo + bd_hi) / 2))
		bd_old=$(dd if="$1" bs=$bd_block skip=$bd_mid count=4 2>/dev/null | BD_SINCE=$2 awk "$bd_clock"'
			NR > 1 { t = epoch(substr($0, 1, index($0, " ") - 1)); if (t >= 0) { print (t < ENVIRON["BD_SINCE"] - 60) ? "old" : "new"; exit } }')
		case $bd_old in
			old) bd_lo=$bd_mid ;;
			new) bd_hi=$bd_mid ;;
			*) break ;;
		esac
	done
	echo $bd_lo
}

# bd_from FILE BLOCK prints a file from the first line that begins after the beginning of a block.
bd_from() {
	dd if="$1" bs=$bd_block skip="$2" 2>/dev/null | {
		if [ "$2" -gt 0 ]; then IFS= read -r bd_cut; : "$bd_cut"; fi
		cat
	}
}

# bd_whole FILE prints a file that is not followed.
bd_whole() {
	case $1 in
		*.gz) gzip -dc -- "$1" ;;
		*)
			if [ "$BD_SINCE" = 0 ]; then cat -- "$1"; else bd_from "$1" "$(bd_seek "$1" "$BD_SINCE")"; fi
			if [ -n "$(tail -c 1 -- "$1")" ]; then echo; fi
			;;
	esac
}

# bd_to BYTES moves the open file 3 there: whole blocks by seeking, the rest by reading.
bd_to() {
	dd bs=$bd_block skip=$(($1 / bd_block)) count=0 <&3 2>/dev/null
	dd bs=1 count=$(($1 % bd_block)) <&3 2>/dev/null >/dev/null
}

# bd_position prints how far the open file 3 has been read.
bd_position() {
	while read -r bd_key bd_value; do
		if [ "$bd_key" = pos: ]; then echo "$bd_value"; fi
	done </proc/self/fdinfo/3
}

# bd_before FILE BYTES prints what stands just before a place in a file: when that has changed, the file was emptied and has grown
# again since.
bd_before() {
	bd_back=$(($2 > 64 ? 64 : $2))
	dd if="$1" bs=1 skip=$(($2 - bd_back)) count=$bd_back 2>/dev/null
}

# bd_rest FILE BYTES prints what a rotation by copying took away before it was read: the copy, from there on. It is the file in which the
# same stands before that place.
bd_rest() {
	if [ "$2" = 0 ]; then return; fi
	for bd_c in "$1".[0-9]* "$1"-[0-9]*; do
		if [ -f "$bd_c" ] && [ "$(stat -L -c %s -- "$bd_c")" -ge "$2" ] && [ "$(bd_before "$bd_c" "$2")" = "$bd_mark" ]; then
			tail -c +$(($2 + 1)) -- "$bd_c"
			return
		fi
	done
}

# bd_follow FILE prints a file and what comes to it, through rotation by renaming and by copying, as long as $$ lives.
bd_follow() {
	while ! [ -e "$1" ] && kill -0 $$ 2>/dev/null; do bd_nap; done
	command exec 3<"$1" || return
	bd_size=$(stat -L -c %s -- "$1")
	if [ -n "$BD_FIRST" ]; then
		: # it is there
	elif [ "$BD_SINCE" = 0 ]; then
		bd_skip=$((bd_size > bd_block ? bd_size / bd_block - 1 : 0))
		bd_from "$1" $bd_skip | head -c $((bd_size - bd_skip * bd_block)) | tail -n 10
		bd_to "$bd_size"
	else
		bd_to $(($(bd_seek "$1" "$BD_SINCE") * bd_block))
	fi
	bd_mark=$(bd_before "$1" "$(bd_position)")
	while kill -0 $$ 2>/dev/null; do
		bd_at=$(bd_position)
		bd_size=$(stat -L -c %s -- "$1" 2>/dev/null)
		# shellcheck disable=SC3013
		if [ -e "$1" ] && ! [ "$1" -ef /proc/self/fd/3 ]; then
			cat <&3
		elif [ "${bd_size:-$bd_at}" = "$bd_at" ]; then
			bd_nap
			continue
		elif [ "$bd_size" -lt "$bd_at" ] || [ "$(bd_before "$1" "$bd_at")" != "$bd_mark" ]; then
			bd_rest "$1" "$bd_at"
		else
			cat <&3
			bd_mark=$(bd_before "$1" "$(bd_position)")
			continue
		fi
		command exec 3<"$1" || bd_nap
		bd_mark=
	done
}

# bd_lines prints the lines of all files.
bd_lines() {
	while [ $# -gt 1 ]; do
		bd_whole "$1"
		shift
	done
	if [ "$BD_MODE" = follow ]; then bd_follow "$1"; else bd_whole "$1"; fi
}

# bd_awk is awk, told not to collect lines where it would (mawk).
bd_awk() {
	if [ "$BD_MODE" = follow ] && awk -W version 2>&1 </dev/null | grep -q mawk; then awk -W interactive "$@"; else awk "$@"; fi
}

# bd_candidates is the expression for grep by which most lines can be left out at once; empty: there is none.
bd_candidates() {
	if [ -n "$BD_RE" ]; then
		printf '%s' "$BD_RE"
	elif [ -n "$BD_REQUEST" ]; then
		printf '%s' "$BD_REQUEST" | sed 's/[.]/[.]/g; s/.*/ [|] & [|] /'
	else
		case $BD_LEVEL in
			3) printf ' [|] (WARN|ERROR|FATAL) [|] ' ;;
			4) printf ' [|] (ERROR|FATAL) [|] ' ;;
			5) printf ' [|] FATAL [|] ' ;;
		esac
	fi
}

# bd_select is the filter; grep, where it is GNU's, finds candidates many times faster than awk looks at every line.
bd_select() {
	BD_NUMBERED=0
	bd_now=-a
	if [ "$BD_MODE" = follow ]; then bd_now=--line-buffered; fi
	bd_find=$(bd_candidates)
	if [ -n "$bd_find" ] && [ "$(echo x | grep -a $bd_now -n -A 1 -B 1 -e x 2>/dev/null)" = 1:x ]; then BD_NUMBERED=1; fi
	export BD_NUMBERED
	if [ $BD_NUMBERED = 0 ]; then
		bd_awk "$bd_clock$bd_filter"
	elif [ -n "$BD_RE" ]; then
		grep -a $bd_now -n -A $BD_MOST -B $BD_MOST -E -e "$bd_find" | bd_awk "$bd_clock$bd_filter"
	else
		grep -a $bd_now -n -A $BD_MOST -E -e "$bd_find" | bd_awk "$bd_clock$bd_filter"
	fi
}

# bd_from_start says whether there is only one file, to be read from its beginning: then the filter can have it as it is.
bd_from_start() {
	case $1 in *.gz) return 1 ;; esac
	[ $# = 1 ] && [ "$BD_SINCE" = 0 ]
}

for bd_f; do
	if [ -n "$BD_FIRST" ] && [ ! -e "$bd_f" ]; then continue; fi # it came and went; its name may come again
	if [ ! -r "$bd_f" ]; then
		echo "$bd_f cannot be read" >&2
		exit 3
	fi
done
if [ "$BD_MODE" = follow ]; then
	bd_lines "$@" | bd_select &
else
	if bd_from_start "$@"; then bd_select <"$1"; else bd_lines "$@" | bd_select; fi
	echo E
fi
cat <&4 >/dev/null
exit 0
