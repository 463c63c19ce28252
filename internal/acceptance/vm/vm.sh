#!/bin/bash
# The VM lab: guests with a kernel, a boot loader and a reboot of their own, in QEMU under software emulation. See README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/../lab/lab.sh
OUTER=${BOXDOCTOR_LAB:-/var/cache/boxdoctor-lab}
VM=$OUTER/vm
RUN=${BOXDOCTOR_LAB_RUN:+$BOXDOCTOR_LAB_RUN-vm}
RUN=${RUN:-$VM/run}

usage() {
	cat <<-'EOF'
		usage: vm.sh COMMAND [ARGUMENT...]

		  install                        apt-get install what the lab needs on the outside (files: packages, ../lab/packages)
		  kernel                         build the two small kernels and their rpm packages
		  image [IMAGE...]               build disk images (founding, current, healthy, stock; default founding)
		  start NAME [IMAGE] [--from SNAPSHOT] [CASE...]
		                                 a new guest on a fresh overlay, wait for ssh; prints the path of its ssh_config
		  sick NAME CASE...              make a running guest sick (cases: folder sick/)
		  ssh NAME [COMMAND...]          ssh into it as vagrant
		  wait NAME [SECONDS]            wait until ssh answers (default 600)
		  power-cycle NAME               cut its power, start it again from the same disk, wait for ssh
		  drop-link NAME SECONDS [cut|stall]
		                                 its ssh connections break and new ones are refused (cut), or packets vanish (stall)
		  save NAME SNAPSHOT             shut it down and keep its disk; for start --from
		  list                           guests: name, port, pid, ssh_config
		  stop NAME                      end a guest and remove what it left
		  stop-all                       the same for every guest of that run
		  help                           this text

		install, kernel and image run as root. Everything is kept in $BOXDOCTOR_LAB/vm (default /var/cache/boxdoctor-lab/vm);
		a guest's files are in $BOXDOCTOR_LAB_RUN-vm/NAME (default $BOXDOCTOR_LAB/vm/run/NAME): ssh_config, known_hosts, pid,
		console.log, qmp. Give a test run a BOXDOCTOR_LAB_RUN of its own: stop-all ends the guests of that folder only.
		QEMU runs with $BOXDOCTOR_VM_ACCEL (default tcg).
	EOF
}

die() { echo "vm: $*" >&2; exit 1; }
say() { echo "vm: $*" >&2; }
need_root() { [ "$(id -u)" -eq 0 ] || die "must be root"; }
# timed WORDS COMMAND...: say how long a step took. Not for use in a condition: it would hide a failure.
timed() {
	local what=$1 t0=$EPOCHREALTIME
	shift
	"$@"
	say "$(awk -v a="$t0" -v b="$EPOCHREALTIME" -v w="$what" 'BEGIN{printf "%s: %.1f s", w, b-a}')"
}
# locked COMMAND...: one build at a time, bounded
locked() {
	mkdir -p "$VM"
	exec 9>"$VM/.lock"
	flock -w 2400 9 || die "another vm.sh holds $VM/.lock"
	"$@" 9>&-
	exec 9>&-
}

# mirror, apt_private, mkrpm: as the container lab does them
# shellcheck source=../lab/build.sh
. "$here/../lab/build.sh"
# shellcheck source=kernel.sh
. "$here/kernel.sh"
# shellcheck source=image.sh
. "$here/image.sh"
# shellcheck source=stock.sh
. "$here/stock.sh"
# shellcheck source=machine.sh
. "$here/machine.sh"

cmd_install() {
	local names
	mapfile -t names < <(cat "$here/packages" "$here/../lab/packages" | sed 's/#.*//; s/[[:space:]]//g; /^$/d' | sort -u)
	timeout 300 apt-get update -q
	DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -qy --no-install-recommends "${names[@]}"
}

images() {
	local name
	for name in "${@:-founding}"; do cmd_image "$name"; done
}

main() {
	local command=${1:-help}
	shift || true
	case $command in
	install) need_root; timed install cmd_install ;;
	kernel) need_root; locked cmd_kernel ;;
	image) need_root; locked images "$@" ;;
	start | sick | ssh | wait | power-cycle | drop-link | save | list | stop | stop-all | _run) "cmd_${command//-/_}" "$@" ;;
	help | -h | --help) usage ;;
	*) usage >&2; exit 2 ;;
	esac
}
# exit on the same line: bash reads nothing of this file afterwards, so an edit does not reach a guest that runs
main "$@"; exit
