# shellcheck shell=sh
# users NAME...: the account and the names of its groups.
for bd_u in "$@"; do
	bd_out=$(getent passwd "$bd_u" 2>&1)
	case $? in
	0)
		tag user "$bd_out"
		printf '| %s\n' "$(id -nG "$bd_u")"
		;;
	2) tag absent "$bd_u" ;;
	*) printf 'getent passwd %s: %s\n' "$bd_u" "$bd_out" ;;
	esac
done
