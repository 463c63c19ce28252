# shellcheck shell=bash disable=SC2154
# Sourced by vm.sh: starting, ending and disturbing guests.

valid_name() { [[ $1 =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "bad guest name: $1"; }
dir_of() {
	valid_name "$1"
	[ -d "$RUN/$1" ] || die "no guest $1 (vm.sh start $1)"
	echo "$RUN/$1"
}
# lives NAME FILE: true if the process whose number is in FILE is that guest's own (a number may have been given away since)
lives() {
	local pid
	pid=$(cat "$RUN/$1/$2" 2>/dev/null) && [ -n "$pid" ] &&
		{ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q -e "$RUN/$1/" -e "vm.sh _run $1 "
}
# end NAME FILE SIGNAL SECONDS: end that process, by its number
end() {
	local i
	lives "$1" "$2" || return 0
	kill "-$3" "$(cat "$RUN/$1/$2")" 2>/dev/null || return 0
	for i in $(seq 1 "$(($4 * 10))"); do
		lives "$1" "$2" || return 0
		sleep 0.1
	done
	return 1
}

# free_port: a port on loopback on which nobody listens
free_port() {
	local port
	for port in $(shuf -i 20000-29999 -n 200); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
	die "no free port"
}

cmd_start() {
	local name=${1:?usage: vm.sh start NAME [IMAGE] [--from SNAPSHOT] [CASE...]} image=founding base='' dir
	shift
	case ${1:-} in founding | current | healthy | stock) image=$1; shift ;; esac
	if [ "${1:-}" = --fresh ]; then shift; fi
	if [ "${1:-}" = --from ]; then
		base=$VM/snap/${2:?usage: vm.sh start NAME --from SNAPSHOT}.qcow2
		[ -e "$base" ] || die "no snapshot $2 (vm.sh save NAME $2)"
		shift 2
	else
		locked cmd_image "$image"
	fi
	valid_name "$name"
	dir=$RUN/$name
	mkdir -p "$RUN"
	mkdir "$dir" 2>/dev/null || die "$name exists already; vm.sh stop $name"
	new_disk "$dir" "$image" "$base"
	free_port >"$dir/port"
	free_port >"$dir/inner"
	access "$name" "$dir"
	wire "$name" || { cmd_stop "$name"; die "$name: no wire"; }
	boot "$name"
	cmd_wait "$name" || { tail -n 20 "$dir/qemu.log" "$dir/console.log" >&2; cmd_stop "$name"; die "$name: ssh did not answer"; }
	[ $# -eq 0 ] || cmd_sick "$name" "$@"
	echo "$dir/ssh_config"
}

# new_disk DIR IMAGE BASE
new_disk() {
	if [ -n "$3" ]; then
		cp "$3" "$1/disk.qcow2"
	else
		qemu-img create -q -f qcow2 -F raw -b "$VM/$2.raw" "$1/disk.qcow2"
	fi
}

# access NAME DIR: how to reach it, as `vagrant ssh-config` would say
access() {
	local port
	port=$(cat "$2/port")
	sed "s/^/[127.0.0.1]:$port /; s/ [^ ]*\$//" "$VM/hostkey/ssh_host_ed25519_key.pub" >"$2/known_hosts"
	cat >"$2/ssh_config" <<-EOF
		Host $1
		  HostName 127.0.0.1
		  User vagrant
		  Port $port
		  UserKnownHostsFile $2/known_hosts
		  StrictHostKeyChecking yes
		  PasswordAuthentication no
		  IdentityFile $OUTER/key
		  IdentitiesOnly yes
		  LogLevel FATAL
	EOF
}

# wire NAME: from the guest's port to QEMU's, in a process of its own, so that it can be cut
wire() {
	local dir=$RUN/$1 i
	setsid socat -lf "$dir/wire.log" "TCP-LISTEN:$(cat "$dir/port"),bind=127.0.0.1,reuseaddr,fork" "TCP:127.0.0.1:$(cat "$dir/inner")" </dev/null >/dev/null 2>&1 &
	echo $! >"$dir/wire"
	disown
	for i in $(seq 1 50); do
		(exec 3<>"/dev/tcp/127.0.0.1/$(cat "$dir/port")") 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}
# unwire NAME: every connection through it breaks at once
unwire() {
	lives "$1" wire || return 0
	kill -KILL -- "-$(cat "$RUN/$1/wire")" 2>/dev/null || true
}

# boot NAME: the process that is the guest's life, in the background
boot() {
	local dir=$RUN/$1
	setsid "$here/vm.sh" _run "$1" </dev/null >"$dir/qemu.log" 2>&1 &
	echo $! >"$dir/run"
	disown
}

# cmd__run NAME: QEMU, again and again until the guest powers off. A reboot ends it (-no-reboot) and a new one starts: under
# software emulation the boot loader and the kernel start several times slower after a reset than in a new process.
cmd__run() {
	local name=$1 dir=$RUN/$1 child='' i rc
	trap '[ -z "$child" ] || kill -KILL "$child" 2>/dev/null; exit 0' TERM
	for i in $(seq 1 50); do
		say "boot $i"
		machine "$name" &
		child=$!
		echo "$child" >"$dir/pid"
		rc=0
		wait "$child" || rc=$?
		case $rc in 0 | 137) ;; *) say "QEMU ended with status $rc"; break ;; esac # 137: power-cycle
		case $(grep -a 'reboot: ' "$dir/console.log" | tail -n1) in *'Power down'*) break ;; esac
		sleep 0.5
	done
}

machine() {
	local name=$1 dir=$RUN/$1
	rm -f "$dir/qmp"
	exec qemu-system-x86_64 -nodefaults -no-user-config -machine pc -accel "${BOXDOCTOR_VM_ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 1536 -no-reboot \
		-display none -chardev "file,id=console,path=$dir/console.log,append=on" -serial chardev:console -monitor none -qmp "unix:$dir/qmp,server=on,wait=off" \
		-drive "file=$dir/disk.qcow2,if=virtio,cache=unsafe,format=qcow2" -device virtio-rng-pci \
		-netdev "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:$(cat "$dir/inner")-:22" -device virtio-net-pci,netdev=net0,id=nic0
}

cmd_wait() {
	local dir t0=$EPOCHREALTIME
	dir=$(dir_of "${1:?usage: vm.sh wait NAME [SECONDS]}")
	wait_ssh "$1" "$dir" "${2:-600}" || return 1
	say "$(awk -v a="$t0" -v b="$EPOCHREALTIME" -v w="$1" 'BEGIN{printf "%s: ssh answers after %.1f s", w, b-a}')"
}
# wait_ssh NAME DIR SECONDS
wait_ssh() {
	local end=$((SECONDS + $3))
	while [ "$SECONDS" -lt "$end" ] && lives "$1" run; do
		timeout 20 ssh -F "$2/ssh_config" -o BatchMode=yes -o ConnectTimeout=10 "$1" true </dev/null >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	return 1
}

cmd_ssh() {
	local dir
	dir=$(dir_of "${1:?usage: vm.sh ssh NAME [COMMAND...]}")
	exec ssh -F "$dir/ssh_config" "$@"
}

cmd_sick() {
	local name=${1:?usage: vm.sh sick NAME CASE...} case dir
	dir=$(dir_of "$name")
	shift
	for case; do
		[ -f "$here/sick/$case" ] || die "unknown case $case (known: $(cd "$here/sick" && echo *))"
	done
	for case; do
		timeout 600 ssh -F "$dir/ssh_config" "$name" sudo sh -eu -s <"$here/sick/$case" >&2 || die "case $case failed"
		say "$name: $case"
	done
}

# qmp NAME COMMAND...: each a JSON object; prints the answers
qmp() {
	local dir=$RUN/$1
	shift
	{
		printf '%s\n' '{"execute":"qmp_capabilities"}' "$@"
		sleep 0.5
	} | timeout 10 socat - "UNIX-CONNECT:$dir/qmp"
}

cmd_power_cycle() {
	local name=${1:?usage: vm.sh power-cycle NAME} dir
	dir=$(dir_of "$name")
	lives "$name" pid || die "$name is off"
	echo "lab: power cut" >>"$dir/console.log"
	end "$name" pid KILL 10 || die "$name: QEMU does not end" # _run starts the next one
	cmd_wait "$name" || die "$name: ssh did not answer after the power cut"
}

cmd_drop_link() {
	local name=${1:?usage: vm.sh drop-link NAME SECONDS [cut|stall]} seconds=${2:?usage: vm.sh drop-link NAME SECONDS [cut|stall]} how=${3:-cut}
	dir_of "$name" >/dev/null
	[[ $seconds =~ ^[0-9]{1,3}$ ]] || die "seconds: 0 to 999"
	case $how in
	cut)
		unwire "$name"
		sleep "$seconds"
		wire "$name"
		;;
	stall)
		qmp "$name" '{"execute":"set_link","arguments":{"name":"nic0","up":false}}' >/dev/null
		sleep "$seconds"
		qmp "$name" '{"execute":"set_link","arguments":{"name":"nic0","up":true}}' >/dev/null
		;;
	*) die "unknown way to drop a link: $how (cut, stall)" ;;
	esac
}

cmd_save() {
	local name=${1:?usage: vm.sh save NAME SNAPSHOT} snap=${2:?usage: vm.sh save NAME SNAPSHOT} dir i
	dir=$(dir_of "$name")
	valid_name "$snap"
	timeout 20 ssh -F "$dir/ssh_config" "$name" sudo systemctl poweroff </dev/null >/dev/null 2>&1 || true
	for i in $(seq 1 120); do
		lives "$name" run || break
		[ "$i" -ne 60 ] || say "$name is still shutting down"
		sleep 1
	done
	! lives "$name" run || die "$name does not shut down"
	mkdir -p "$VM/snap"
	cp "$dir/disk.qcow2" "$VM/snap/$snap.qcow2"
	cmd_stop "$name"
}

cmd_list() {
	local dir
	for dir in "$VM"/run/*/; do
		[ -d "$dir" ] || continue
		printf '%s 127.0.0.1:%s %s %s\n' "$(basename "$dir")" "$(cat "${dir}port")" "$(cat "${dir}pid" 2>/dev/null)" "${dir}ssh_config"
	done
}

cmd_stop() {
	local name=${1:?usage: vm.sh stop NAME}
	valid_name "$name"
	[ -d "$RUN/$name" ] || return 0
	end "$name" run TERM 5 || end "$name" run KILL 5 || die "$name: its process does not end"
	end "$name" pid TERM 5 || end "$name" pid KILL 5 || die "$name: QEMU does not end"
	unwire "$name"
	rm -rf "${RUN:?}/$name"
}

cmd_stop_all() {
	local dir
	for dir in "$VM"/run/*/; do
		[ ! -d "$dir" ] || cmd_stop "$(basename "$dir")"
	done
}
