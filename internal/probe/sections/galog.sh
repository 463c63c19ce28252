# shellcheck shell=sh
# The last 64 KiB of each log. An installer run writes two of them; the reader puts those of one run together.
for f in /var/log/vboxadd-setup.log /var/log/vboxadd-install.log /var/log/VBoxGuestAdditions.log; do
	[ -f "$f" ] || continue
	st=$(stat -L -c '%a %s %Y' "$f" 2>/dev/null)
	if [ -r "$f" ]; then
		tag log "${st:-0 -1 0} $f"
		tail -c 65536 "$f" | sed 's/^/| /'
	elif out=$(asroot 5 tail -c 65536 "$f" 2>/dev/null); then
		tag log "${st:-0 -1 0} $f"
		printf '%s\n' "$out" | sed 's/^/| /'
	else
		tag unreadable "$f"
	fi
	printf '\n'
done
# reading the kernel's messages may be root's privilege
out=$(lim 5 dmesg 2>/dev/null) || out=$(asroot 5 dmesg 2>/dev/null)
tag dmesg "$?"
printf '%s\n' "$out" | grep -i vbox | tail -n 100 | head -c 65536 | sed 's/^/| /'
printf '\n'
exit 0
