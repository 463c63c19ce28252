#!/bin/sh
# Ends the process groups of the given processes, and the processes. $1 is the signal, the rest process ids.
# What a step started in a session of its own is in no such group and goes on.
boxdoctor_sig=$1; shift
for p; do
	g=
	if [ -r "/proc/$p/stat" ]; then
		# shellcheck disable=SC2034 # only the fifth field, the group, is wanted
		read -r a b c d g e <"/proc/$p/stat"
	fi
	if [ -n "$g" ] && [ "$g" -gt 1 ]; then kill -s "$boxdoctor_sig" -- "-$g" 2>/dev/null; fi
	kill -s "$boxdoctor_sig" "$p" 2>/dev/null
done
exit 0
