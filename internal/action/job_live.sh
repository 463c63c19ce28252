# Prints the names of jobs that still work. $1 is a pattern of their folders.
set -eu
# shellcheck disable=SC2086 # the pattern is to be expanded
for dir in $1; do
	if [ ! -e "$dir/pid" ] || [ -e "$dir/rc" ]; then
		continue
	fi
	pid=$(cat "$dir/pid")
	if kill -0 "$pid" 2>/dev/null; then
		# After a reboot another process may have the number: the command line of a job names its folder.
		case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
		"" | *"$dir"*) echo "${dir##*/}" ;;
		esac
	fi
done
