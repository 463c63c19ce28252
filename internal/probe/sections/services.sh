# shellcheck shell=sh
if [ -d /run/systemd/system ] && have systemctl; then
	block units lim 8 systemctl show -p Id -p LoadState -p ActiveState --no-pager \
		vboxadd.service vboxadd-service.service vboxservice.service virtualbox-guest-utils.service
else
	for s in vboxadd vboxadd-service virtualbox-guest-utils; do
		for f in "/etc/init.d/$s" "/etc/rc.d/init.d/$s"; do
			[ -x "$f" ] || continue
			tag script "$s"
			block status lim 5 "$f" status
			break
		done
	done
fi
procs | while read -r pid name; do
	[ "$name" != VBoxService ] || tag vboxservice "$pid"
done
exit 0
