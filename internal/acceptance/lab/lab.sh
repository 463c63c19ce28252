#!/bin/bash
# shellcheck disable=SC2317 # functions that the sourced files call
# The container lab: EL-like guests with real systemd, sshd, sudo, rpm and dnf in systemd-nspawn. See README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${BOXDOCTOR_LAB:-/var/cache/boxdoctor-lab}
RUN=${BOXDOCTOR_LAB_RUN:-$LAB/run}

usage() {
	cat <<-'EOF'
		usage: lab.sh COMMAND [ARGUMENT...]

		  install                     apt-get install what the lab needs on the outside (file: packages)
		  iso VERSION                 fetch the real Guest Additions ISO 6.1.22, 7.0.6 or 7.0.20; prints its path
		  el-root                     build the EL-like root and its rpm packages
		  repo                        build the guest's local dnf repositories (behind, both, nodevel)
		  el-tools                    build the layer "el with build tools and kernel-devel installed"
		  dnf5-root                   build the root with dnf5 (Debian sid)
		  logs                        fetch rsyslog's packages for the guest deb, and a Kafka broker; prints their folder
		  deb, suse, arch             build the roots with apt, zypper and pacman
		  sup-root, el-sup-root       build the roots for Supervisor: Debian's packages of it; the EL-like one with venv
		  start NAME [ROOT [CASE...]] boot a fresh guest (ROOT: el, el-tools, el-sup, dnf5, deb, sup, suse, arch; default el), wait for
		                              ssh, apply cases
		  sick NAME CASE...           make a running guest sick (cases: folder sick/)
		  ga NAME VERSION             run a real Guest Additions installer in a running guest
		  exec NAME COMMAND...        run a command as root in a running guest, without ssh
		  ssh NAME [COMMAND...]       ssh into it as vagrant
		  wire NAME NAME              a wire between two running guests; prints their addresses on it
		  list                        running guests: name, address, pid, ssh_config
		  stop NAME                   end a guest and remove what it left
		  stop-all                    the same for every guest in $BOXDOCTOR_LAB_RUN
		  help                        this text

		All of it runs as root. What is built is kept in $BOXDOCTOR_LAB (default /var/cache/boxdoctor-lab); a guest's
		files are in $BOXDOCTOR_LAB_RUN/NAME (default $BOXDOCTOR_LAB/run): ssh_config, known_hosts, pid, console.log.
		Give a test run a BOXDOCTOR_LAB_RUN of its own: stop-all ends the guests of that folder only.
	EOF
}

die() { echo "lab: $*" >&2; exit 1; }
say() { echo "lab: $*" >&2; }
need_root() { [ "$(id -u)" -eq 0 ] || die "must be root"; }
# stamp FILE...: one hash over files of the lab's own scripts
stamp() {
	[ $# -gt 0 ] || set -- build.sh uname.c
	(cd "$here" && cat "$@") | sha256sum | cut -d' ' -f1
}
# built NAME FUNCTION [FILE...]: run FUNCTION to build $LAB/NAME, unless that was done with these scripts (default: the EL roots')
built() {
	local want
	want=$(stamp "${@:3}")
	if [ -d "$LAB/$1" ] && [ "$(cat "$LAB/$1.stamp" 2>/dev/null)" = "$want" ]; then return 0; fi
	rm -f "$LAB/$1.stamp"
	retire "$LAB/$1"
	mkdir -p "$LAB/tmp"
	timed "$1" "$2"
	echo "$want" >"$LAB/$1.stamp"
}
# retire FOLDER: out of the way, but kept as long as any guest runs (its overlay may stand on it)
retire() {
	mkdir -p "$LAB/retired"
	[ ! -d "$1" ] || mv "$1" "$(mktemp -d "$LAB/retired/XXXX")/"
	grep -qF "lowerdir=$LAB/" /proc/mounts || rm -rf "$LAB/retired"
}
# timed WORDS COMMAND...: say how long a step took
timed() {
	local what=$1 t0=$EPOCHREALTIME
	shift
	"$@"
	say "$(awk -v a="$t0" -v b="$EPOCHREALTIME" -v w="$what" 'BEGIN{printf "%s: %.1f s", w, b-a}')"
}
# locked NAME COMMAND...: one at a time, bounded
locked() {
	local name=$1
	shift
	mkdir -p "$LAB"
	exec 9>"$LAB/.lock-$name"
	flock -w 900 9 || die "another lab.sh holds $LAB/.lock-$name"
	"$@" 9>&-
	exec 9>&-
}

# shellcheck source=build.sh
. "$here/build.sh"
# shellcheck source=families.sh
. "$here/families.sh"
# shellcheck source=supervisor.sh
. "$here/supervisor.sh"
# shellcheck source=logs.sh
. "$here/logs.sh"
# shellcheck source=guest.sh
. "$here/guest.sh"

cmd_install() {
	need_root
	local names
	mapfile -t names < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$here/packages")
	timeout 300 apt-get update -q
	DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -qy --no-install-recommends "${names[@]}"
}

case $LAB$RUN in *[:,\ \\]*) die "BOXDOCTOR_LAB and BOXDOCTOR_LAB_RUN must not contain ':', ',', '\\' or blanks (overlay mount)" ;; esac
main() {
	local command=${1:-help}
	shift || true
	case $command in
	install) timed install cmd_install ;;
	iso) need_root; locked iso cmd_iso "$@" ;;
	el-root) need_root; locked build el_root ;;
	repo) need_root; locked build repo ;;
	el-tools) need_root; locked build el_tools ;;
	dnf5-root) need_root; locked build dnf5_root ;;
	logs) need_root; locked logs cmd_logs ;;
	deb | suse | arch) need_root; locked build family "$command" ;;
	sup-root) need_root; locked build sup_root ;;
	el-sup-root) need_root; locked build el_sup_root ;;
	start | sick | ga | exec | ssh | wire | list | stop | stop-all | _run) need_root; "cmd_${command//-/_}" "$@" ;;
	help | -h | --help) usage ;;
	*) usage >&2; exit 2 ;;
	esac
}
# exit on the same line: bash reads nothing of this file afterwards, so an edit does not reach a guest that runs
main "$@"; exit
