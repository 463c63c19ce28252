#!/bin/sh
# Installs the real parts of the host's acceptance test: the VBoxManage of Debian sid in a folder of its own, and the
# vagrant of this Debian. Needs root. What is there already is kept.
set -eu
lab=${BOXDOCTOR_HOST_LAB:-/var/cache/boxdoctor-lab/host}
export DEBIAN_FRONTEND=noninteractive

command -v mmdebstrap >/dev/null || apt-get install -y -qq --no-install-recommends mmdebstrap
command -v vagrant >/dev/null || apt-get install -y -qq --no-install-recommends vagrant
mkdir -p "$lab"
if [ ! -e "$lab/sid.stamp" ]; then
	mmdebstrap --variant=minbase --components=main,contrib --include=virtualbox \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' sid "$lab/sid"
	touch "$lab/sid.stamp"
fi
