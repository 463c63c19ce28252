# shellcheck shell=bash
# Sourced by lab.sh: the parts of the log agent's tests. $LAB/logs/debs: rsyslog, its modules and logrotate for the guest
# deb, from Debian; $LAB/logs/root: the same unpacked, for a receiver on the outside; $LAB/logs/kafka: Apache Kafka's jars.

cmd_logs() {
	family deb
	built logs build_logs logs.sh ../agent/pom.xml
	echo "$LAB/logs"
}

build_logs() {
	local to=$LAB/logs work=$LAB/tmp/logs-apt deb
	rm -rf "$work"
	mkdir -p "$to/debs" "$to/root"
	apt_private "$work"
	sources bookworm >"$work/sources.list"
	timeout 300 apt-get "${APT[@]}" update >&2
	cp "$LAB/families-root/var/lib/dpkg/status" "$work/status" # what the guest has need not be fetched
	timeout 300 apt-get "${APT[@]}" install -y --no-install-recommends --download-only rsyslog rsyslog-kafka rsyslog-relp rsyslog-gnutls logrotate >&2
	cp "$work"/cache/archives/*.deb "$to/debs/"
	for deb in "$to"/debs/*.deb; do dpkg-deb -x "$deb" "$to/root"; done
	timeout 600 mvn -q -B -f "$here/../agent/pom.xml" dependency:copy-dependencies -DoutputDirectory="$to/kafka" >&2
	rm -rf "$work"
}
