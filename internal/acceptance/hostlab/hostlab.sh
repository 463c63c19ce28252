#!/bin/sh
# Installs the real parts of the host's acceptance test: the VBoxManage and the Wine of Debian sid, each in a folder of its
# own, and the vagrant of this Debian. Needs root. What is there already is kept.
set -eu
lab=${BOXDOCTOR_HOST_LAB:-/var/cache/boxdoctor-lab/host}
export DEBIAN_FRONTEND=noninteractive

if ! command -v mmdebstrap >/dev/null || ! command -v vagrant >/dev/null; then
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends mmdebstrap vagrant
fi
mkdir -p "$lab"
# root NAME OPTION…: a Debian sid with some packages. Its Release file may be past its date.
root() {
	name=$1
	shift
	if [ -e "$lab/$name.stamp" ]; then return; fi
	rm -rf "${lab:?}/$name"
	mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' "$@" sid "$lab/$name"
	touch "$lab/$name.stamp"
}

root sid --components=main,contrib --include=virtualbox
root wine --include=wine64,wine
