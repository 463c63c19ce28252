# shellcheck shell=sh
# Lists log files. The arguments are absolute patterns of file names; they are expanded as names and never read as commands.
# One line each: "now SECONDS NANOSECONDS", "file READABLE MTIME SIZE PATH", "part …" for a rotated one of the file before it,
# "none PATTERN".
printf 'now %s\n' "$(date '+%s %N')"
nl='
'
one() { # one KIND PATH
	case $2 in *"$nl"*) return ;; esac
	bd_r=-
	if [ -r "$2" ]; then bd_r=r; fi
	printf '%s %s %s %s\n' "$1" "$bd_r" "$(stat -L -c '%Y %s' -- "$2")" "$2"
}
IFS=
for bd_pattern; do
	bd_n=0
	# shellcheck disable=SC2086 # names are wanted, and with an empty IFS nothing is split
	for bd_f in $bd_pattern; do
		if [ ! -f "$bd_f" ] || [ "$bd_n" -ge 1000 ]; then continue; fi
		bd_n=$((bd_n + 1))
		one file "$bd_f"
		for bd_s in "$bd_f".[0-9]* "$bd_f"-[0-9]*; do
			if [ -f "$bd_s" ]; then one part "$bd_s"; fi
		done
	done
	if [ "$bd_n" = 0 ]; then printf 'none %s\n' "$bd_pattern"; fi
done
exit 0
