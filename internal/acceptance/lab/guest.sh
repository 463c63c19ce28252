# shellcheck shell=bash
# Sourced by lab.sh: starting, ending and changing guests.

# layers ROOT: lower folders of a guest's overlay, top first
layers() {
	case $1 in
	el) echo "$LAB/repo:$LAB/el-root" ;;
	el-tools) echo "$LAB/el-tools:$LAB/repo:$LAB/el-root" ;;
	dnf5) echo "$LAB/repo:$LAB/dnf5-root" ;;
	deb | suse | arch | sup) echo "$LAB/$1:$LAB/families-root" ;;
	el-sup) echo "$LAB/el-sup:$LAB/repo:$LAB/el-root" ;;
	*) die "unknown root $1 (el, el-tools, el-sup, dnf5, deb, sup, suse, arch)" ;;
	esac
}

valid_name() { [[ $1 =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "bad guest name: $1"; }
guest_pid() { cat "$RUN/$1/pid" 2>/dev/null; }
# lives NAME PID: true if PID is that guest's own process (a number may have been given to another one since)
lives() { [ -n "${2:-}" ] && { tr '\0' ' ' <"/proc/$2/cmdline"; } 2>/dev/null | grep -q -- "lab.sh _run $1 "; }
# leader NAME: the guest's pid 1 as seen from here
leader() {
	local pid leader
	pid=$(cat "$RUN/$1/nspawn" 2>/dev/null) || die "$1 is not running"
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd-nspawn ] || die "$1 is not running"
	read -r leader _ <"/proc/$pid/task/$pid/children"
	echo "$leader"
}

# network NAME FOLDER: a namespace with one wire to here, and nothing else; writes FOLDER/number
network() {
	local name=$1 n
	exec 8>/run/boxdoctor-lab-net.lock
	flock -w 60 8 || die "cannot lock the network numbers"
	for n in $(seq 1 250); do
		ip -o link show "bdlab$n" >/dev/null 2>&1 && continue
		ip netns add "bd-$name" || break # a guest of that name runs for somebody else
		ip link add "bdlab$n" type veth peer name eth0 netns "bd-$name"
		echo "$n" >"$2/number"
		break
	done
	exec 8>&-
	if [ ! -s "$2/number" ]; then
		say "no free guest number, or another run has a guest of that name"
		return 1
	fi
	ip addr add "10.77.$n.1/24" dev "bdlab$n"
	ip link set "bdlab$n" up
	ip -n "bd-$name" addr add "10.77.$n.2/24" dev eth0
	ip -n "bd-$name" link set lo up
	ip -n "bd-$name" link set eth0 up
}

cmd_start() {
	local name=${1:?usage: lab.sh start NAME [ROOT [CASE...]]} kind=${2:-el} dir n pid t0=$EPOCHREALTIME lower
	shift $(($# < 2 ? $# : 2))
	valid_name "$name"
	case $kind in
	el) locked build repo ;;
	el-tools) locked build el_tools ;;
	dnf5) locked build dnf5_root ;;
	deb | suse | arch) locked build family "$kind" ;;
	sup) locked build sup_root ;;
	el-sup) locked build el_sup_root ;;
	esac
	lower=$(layers "$kind")
	dir=$RUN/$name
	mkdir -p "$RUN"
	mkdir "$dir" 2>/dev/null || die "$name exists already; lab.sh stop $name"
	t0=$EPOCHREALTIME
	mkdir -p "$dir"/{upper/etc/ssh,work,root}
	network "$name" "$dir" || { cmd_stop "$name"; die "no network for $name"; }
	n=$(cat "$dir/number")
	echo "$name" >"$dir/upper/etc/hostname"
	printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$dir/upper/etc/hosts"
	ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$dir/upper/etc/ssh/ssh_host_ed25519_key"
	ssh-keygen -q -t ecdsa -N '' -C "$name" -f "$dir/upper/etc/ssh/ssh_host_ecdsa_key"
	sed "s/^/10.77.$n.2 /; s/ [^ ]*\$//" "$dir"/upper/etc/ssh/*.pub >"$dir/known_hosts"
	cat >"$dir/ssh_config" <<-EOF
		Host $name
		  HostName 10.77.$n.2
		  User vagrant
		  Port 22
		  UserKnownHostsFile $dir/known_hosts
		  StrictHostKeyChecking yes
		  PasswordAuthentication no
		  IdentityFile $LAB/key
		  IdentitiesOnly yes
		  LogLevel FATAL
	EOF
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
	modprobe -q loop 2>/dev/null || true
	if ! grep -qw iso9660 /proc/filesystems && ! modprobe -q iso9660 2>/dev/null; then iso_helper "$dir/root"; fi
	setsid "$here/lab.sh" _run "$name" </dev/null >"$dir/console.log" 2>&1 &
	pid=$!
	echo "$pid" >"$dir/pid"
	if ! wait_ssh "$name" "$pid" 60; then
		tail -n 20 "$dir/console.log" >&2
		cmd_stop "$name"
		die "$name: ssh did not answer within 60 s"
	fi
	say "$(awk -v a="$t0" -v b="$EPOCHREALTIME" -v w="$name" 'BEGIN{printf "%s: ssh answers after %.1f s", w, b-a}')"
	[ $# -eq 0 ] || cmd_sick "$name" "$@"
	echo "$dir/ssh_config"
}

# cmd__run NAME: the process that is the guest's life. systemd-nspawn ends with 133 when the guest reboots.
cmd__run() {
	local name=$1 dir=$RUN/$1 args=() dev rc=133 child=
	for dev in /dev/loop-control /dev/loop[0-9] /dev/fuse; do
		[ ! -e "$dev" ] || args+=("--bind=$dev")
	done
	trap 'rc=0; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' TERM
	export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 # systemd in sid knows no other, and EL 9 uses it
	while [ "$rc" -eq 133 ]; do
		systemd-nspawn --quiet --register=no --keep-unit --boot --console=pipe --link-journal=no --resolv-conf=off --timezone=off \
			--machine="$name" --network-namespace-path="/run/netns/bd-$name" "${args[@]}" -D "$dir/root" &
		child=$!
		echo "$child" >"$dir/nspawn"
		local status=0
		wait "$child" || status=$?
		while kill -0 "$child" 2>/dev/null; do # a signal ended the wait, not the guest
			wait "$child" || status=$?
		done
		[ "$rc" -eq 0 ] || rc=$status
	done
}

# iso_helper ROOT: the outer kernel has no iso9660 (the guest's kernel is the outer one); fuseiso stands in behind mount(8)
iso_helper() {
	cat >"$1/usr/sbin/mount.iso9660" <<-'EOF'
		#!/bin/sh
		# boxdoctor lab: called by mount(8) as: mount.iso9660 SOURCE FOLDER [-o OPTIONS]
		exec fuseiso "$1" "$2" -o ro,allow_other
	EOF
	chmod 755 "$1/usr/sbin/mount.iso9660"
}

# wait_ssh NAME PID SECONDS
wait_ssh() {
	local end=$((SECONDS + $3))
	while [ "$SECONDS" -lt "$end" ] && kill -0 "$2" 2>/dev/null; do
		timeout 10 ssh -F "$RUN/$1/ssh_config" -o BatchMode=yes -o ConnectTimeout=2 "$1" true </dev/null >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}

cmd_exec() {
	local name=${1:?usage: lab.sh exec NAME COMMAND...} pid
	shift
	valid_name "$name"
	pid=$(leader "$name")
	nsenter -t "$pid" -m -u -i -n -p -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

cmd_ssh() {
	local name=${1:?usage: lab.sh ssh NAME [COMMAND...]}
	shift
	valid_name "$name"
	exec ssh -F "$RUN/$name/ssh_config" "$name" "$@"
}

cmd_sick() {
	local name=${1:?usage: lab.sh sick NAME CASE...} case
	shift
	valid_name "$name"
	for case; do
		[ -f "$here/sick/$case" ] || die "unknown case $case (known: $(cd "$here/sick" && echo *))"
	done
	for case; do
		timeout 120 "$0" exec "$name" sh -eu -s <"$here/sick/$case" >&2 || die "case $case failed"
		say "$name: $case"
	done
}

# cmd_ga NAME VERSION: run a real Guest Additions installer in the guest, as an earlier owner of the box did
cmd_ga() {
	local name=${1:?usage: lab.sh ga NAME VERSION} iso rc=0
	iso=$(locked iso cmd_iso "${2:?usage: lab.sh ga NAME VERSION}")
	valid_name "$name"
	cp "$iso" "$RUN/$name/root/root/ga.iso"
	timeout 300 "$0" exec "$name" sh -c 'mkdir -p /root/ga && mount -o loop,ro /root/ga.iso /root/ga && sh /root/ga/VBoxLinuxAdditions.run --nox11; rc=$?; umount /root/ga; rm -r /root/ga /root/ga.iso; exit $rc' >&2 || rc=$?
	say "$name: Guest Additions $2, installer's exit status $rc"
}

# cmd_wire NAME NAME: a second device in both, lab0, which ends with either of them. Nothing is routed: this machine forwards
# no packets for guests. The numbers are those of the first guest.
cmd_wire() {
	local a=${1:?usage: lab.sh wire NAME NAME} b=${2:?usage: lab.sh wire NAME NAME} n
	valid_name "$a"
	valid_name "$b"
	n=$(cat "$RUN/$a/number") || die "$a is not running"
	[ -s "$RUN/$b/number" ] || die "$b is not running"
	ip -n "bd-$a" link add lab0 type veth peer name lab0 netns "bd-$b"
	ip -n "bd-$a" addr add "10.79.$n.1/24" dev lab0
	ip -n "bd-$b" addr add "10.79.$n.2/24" dev lab0
	ip -n "bd-$a" link set lab0 up
	ip -n "bd-$b" link set lab0 up
	echo "10.79.$n.1 10.79.$n.2"
}

cmd_list() {
	local dir name
	for dir in "$RUN"/*/; do
		[ -d "$dir" ] || continue
		name=$(basename "$dir")
		printf '%s 10.77.%s.2 %s %s\n' "$name" "$(cat "$dir/number")" "$(guest_pid "$name")" "${dir}ssh_config"
	done
}

cmd_stop() {
	local name=${1:?usage: lab.sh stop NAME} dir pid n i
	valid_name "$name"
	dir=$RUN/$name
	[ -d "$dir" ] || return 0
	pid=$(guest_pid "$name" || true)
	if lives "$name" "$pid"; then
		kill -TERM "$pid" # on to nspawn, which asks the guest's systemd to halt
		for i in $(seq 1 120); do
			lives "$name" "$pid" || break
			sleep 0.1
			[ "$i" -ne 100 ] || kill -KILL "$(cat "$dir/nspawn")" 2>/dev/null || true # the guest dies with it
		done
		! lives "$name" "$pid" || die "$name: process $pid does not end"
	fi
	for i in $(seq 1 30); do
		mountpoint -q "$dir/root" || break
		umount "$dir/root" 2>/dev/null && break
		sleep 0.1
	done
	! mountpoint -q "$dir/root" || umount -l "$dir/root"
	n=$(cat "$dir/number" 2>/dev/null || true)
	if [ -n "$n" ]; then # else the namespace of that name is not ours
		ip link del "bdlab$n" 2>/dev/null || true
		ip netns del "bd-$name" 2>/dev/null || true
	fi
	rmdir "/run/systemd/nspawn/propagate/$name" 2>/dev/null || true
	rm -rf "$dir"
}

cmd_stop_all() {
	local dir
	for dir in "$RUN"/*/; do
		[ ! -d "$dir" ] || cmd_stop "$(basename "$dir")"
	done
}
