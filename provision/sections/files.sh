# shellcheck shell=sh disable=SC2154
# files PATH...: mode, size, owner and hash; with BD_CONTENT=yes the start of small text files, for --diff.
for bd_f in "$@"; do
	if [ ! -e "$bd_f" ]; then
		if [ -L "$bd_f" ]; then
			printf '%s is a link to %s, which is not there\n' "$bd_f" "$(readlink "$bd_f")"
		else
			tag absent "$bd_f"
		fi
		continue
	fi
	tag file "$(stat -L -c '%f %s %U %G' "$bd_f") $bd_f"
	if [ -f "$bd_f" ]; then
		bd_sum=$(sha256sum <"$bd_f")
		printf '| %s\n' "${bd_sum%% *}"
		if [ "${BD_CONTENT-}" = yes ]; then
			head -c 65536 "$bd_f" | sed 's/^/| /'
			printf '\n'
		fi
	fi
done
