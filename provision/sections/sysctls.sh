# shellcheck shell=sh
# sysctls KEY...: the value in force.
for bd_k in "$@"; do
	if bd_out=$(sysctl -n "$bd_k" 2>&1); then
		tag sysctl "$bd_k $(printf '%s' "$bd_out" | tr '\n\t' '  ')"
	else
		printf 'sysctl %s: %s\n' "$bd_k" "$bd_out"
	fi
done
