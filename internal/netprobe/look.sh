# shellcheck shell=sh
# What a guest says about its own network, one fact a line; needs no root.
ip -o -4 addr show 2>/dev/null | awk '{ print "address", $2, $4 }'
for bd_table in tcp tcp6 udp udp6; do
	if [ -r "/proc/net/$bd_table" ]; then awk -v t="$bd_table" 'NR > 1 && ($4 == "0A" || t ~ /^udp/ && $4 == "07") { print "listen", t, $2 }' "/proc/net/$bd_table"; fi
done
for bd_unit in firewalld ufw nftables iptables; do
	if command -v systemctl >/dev/null 2>&1 && [ "$(systemctl is-active "$bd_unit" 2>/dev/null)" = active ]; then echo "firewall $bd_unit"; fi
done
for bd_tool in python3 perl python bash nc; do
	if command -v "$bd_tool" >/dev/null 2>&1; then echo "tool $bd_tool"; fi
done
# shellcheck disable=SC2086 # four words
set -- ${SSH_CONNECTION:-}
echo "ssh ${4:-22}"
