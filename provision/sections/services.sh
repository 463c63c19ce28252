# shellcheck shell=sh
# services NAME...: whether each is there, runs and starts at boot.
if [ -d /run/systemd/system ]; then
	for bd_s in "$@"; do
		bd_load='' bd_active='' bd_file=''
		bd_out=$(lim 10 systemctl show -p LoadState -p ActiveState -p UnitFileState "$bd_s" 2>&1) || printf 'systemctl show %s: %s\n' "$bd_s" "$bd_out"
		for bd_l in $bd_out; do
			case $bd_l in
			LoadState=*) bd_load=${bd_l#*=} ;;
			ActiveState=*) bd_active=${bd_l#*=} ;;
			UnitFileState=*) bd_file=${bd_l#*=} ;;
			esac
		done
		tag systemd "$bd_s ${bd_load:--} ${bd_active:--} ${bd_file:--}"
	done
else
	for bd_s in "$@"; do
		bd_there=no bd_on=no bd_rc=-
		if [ -x "/etc/init.d/$bd_s" ]; then
			bd_there=yes
			lim 10 "/etc/init.d/$bd_s" status >/dev/null 2>&1
			bd_rc=$?
			for bd_l in /etc/rc3.d/S[0-9][0-9]"$bd_s" /etc/rc.d/rc3.d/S[0-9][0-9]"$bd_s"; do
				[ ! -e "$bd_l" ] || bd_on=yes
			done
		fi
		tag sysv "$bd_s $bd_there $bd_rc $bd_on"
	done
fi
