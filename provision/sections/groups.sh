# shellcheck shell=sh
# groups NAME...
for bd_g in "$@"; do
	bd_out=$(getent group "$bd_g" 2>&1)
	case $? in
	0) tag group "$bd_out" ;;
	2) tag absent "$bd_g" ;;
	*) printf 'getent group %s: %s\n' "$bd_g" "$bd_out" ;;
	esac
done
