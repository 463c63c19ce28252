#!/bin/bash
# The same 40 resources by boxdoctor and by Ansible (package ansible, pipelining on) against the same kind of fresh
# container guest, by turns in one run: first apply and unchanged re-run, medians and their ratio; then time and memory of
# one boxdoctor for 20 machines. As root on Debian; lab.sh says what it installs. usage: provision.sh [ROUNDS [RERUNS]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rounds=${1:-3} reruns=${2:-3}
work=$(mktemp -d)
export BOXDOCTOR_STATE_HOME=$work/state BOXDOCTOR_LAB_RUN=$work/lab ANSIBLE_CONFIG=$work/ansible.cfg LC_ALL=C.UTF-8
guest=bench$$
lab() { timeout 900 ../lab/lab.sh "$@"; }
trap 'lab stop "$guest" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# both writes a resource for boxdoctor and the same for Ansible.
both() {
	printf '  - %s\n' "$1" >>"$work/.boxdoctor.yaml"
	printf '    - %s\n' "$2" >>"$work/site.yml"
}

declare_site() {
	local i
	printf 'resources:\n' >"$work/.boxdoctor.yaml"
	printf -- '- hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n' >"$work/site.yml"
	for i in kernel-headers make bzip2; do both "package: $i" "dnf: {name: $i, state: present}"; done
	for i in one two; do both "group: {name: group$i, system: true}" "group: {name: group$i, system: true}"; done
	for i in 1 2 3 4; do
		both "user: {name: user$i, group: groupone, home: /home/user$i, shell: /bin/bash}" "user: {name: user$i, group: groupone, home: /home/user$i, shell: /bin/bash}"
	done
	for i in 1 2 3 4 5 6 7 8; do
		both "directory: {path: /srv/app$i, owner: user1, group: groupone, mode: '0750'}" "file: {path: /srv/app$i, state: directory, owner: user1, group: groupone, mode: '0750'}"
	done
	for i in $(seq 1 16); do
		both "file: {path: /etc/bench-$i.conf, content: 'setting = $i', mode: '0644'}" "copy: {dest: /etc/bench-$i.conf, content: 'setting = $i', mode: '0644', owner: root, group: root}"
	done
	both "file: {path: /srv/app1/token, content: 'token', owner: user1, mode: '0600'}" "copy: {dest: /srv/app1/token, content: 'token', owner: user1, group: root, mode: '0600'}"
	both "file: {path: /etc/cron.d/bench, content: \"*/5 * * * * root true\\n\", mode: '0644'}" "copy: {dest: /etc/cron.d/bench, content: \"*/5 * * * * root true\\n\", mode: '0644', owner: root, group: root}"
	both "file: {path: /etc/sudoers.d/bench, content: \"user1 ALL=(ALL) NOPASSWD: /usr/bin/true\\n\", mode: '0440', validate: [visudo, -cf, '%s']}" \
		"copy: {dest: /etc/sudoers.d/bench, content: \"user1 ALL=(ALL) NOPASSWD: /usr/bin/true\\n\", mode: '0440', owner: root, group: root, validate: 'visudo -cf %s'}"
	for i in 1 2; do
		both "exec: {name: seed$i, command: 'touch /srv/seed$i', creates: /srv/seed$i}" "command: {cmd: 'touch /srv/seed$i', creates: /srv/seed$i}"
	done
	both "service: {name: ssh, state: started, enabled: true}" "systemd: {name: ssh, state: started, enabled: true}"
	both "service: {name: dbus, state: started}" "systemd: {name: dbus, state: started}"
	printf '[defaults]\ninterpreter_python=/usr/bin/python3\nhost_key_checking=true\nretry_files_enabled=false\nlocal_tmp=%s/ansible\n[ssh_connection]\npipelining=true\nssh_args=-F %s/ssh_config -o ControlMaster=auto -o ControlPersist=60s\ncontrol_path_dir=%s/cp\n' \
		"$work" "$work" "$work" >"$work/ansible.cfg"
}

fresh() {
	lab stop "$guest" >/dev/null 2>&1 || true
	cp "$(lab start "$guest" el)" "$work/ssh_config"
}

# timed LIST COMMAND...: the seconds of a command go to a list.
timed() {
	local list=$work/$1 begin=$EPOCHREALTIME
	shift
	if ! timeout 900 "$@" >"$work/out" 2>&1; then
		tail -n 40 "$work/out" >&2
		exit 1
	fi
	awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN{printf "%.3f\n", b-a}' | tee -a "$list"
}

says() { grep -Eq "$1" "$work/out" || { echo "not what was expected ($1):" >&2; tail -n 20 "$work/out" >&2; exit 1; }; }

boxdoctor() { timed "$1" "$work/boxdoctor" provision -f "$work/.boxdoctor.yaml" --ssh-config "$work/ssh_config"; }
ansible() { timed "$1" ansible-playbook -i "$guest," "$work/site.yml"; }

median() { sort -n "$work/$1" | awk '{v[NR]=$1} END{print (NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2)}'; }
line() {
	awk -v w="$1" -v b="$(median "b-$2")" -v a="$(median "a-$2")" -v bs="$(sort -n "$work/b-$2" | xargs)" -v as="$(sort -n "$work/a-$2" | xargs)" \
		'BEGIN{printf "| %s | %.2f s (%s) | %.2f s (%s) | %.1f |\n", w, b, bs, a, as, a/b}'
}

# crowd COUNT: one boxdoctor for as many machines, which are all the same guest.
crowd() {
	awk -v n="$1" 'NR==1{next} {rest=rest $0 "\n"} END{for(i=1;i<=n;i++) printf "Host m%d\n%s", i, rest}' "$work/ssh_config" >"$work/crowd"
	python3 - "$work/boxdoctor" provision -f "$work/.boxdoctor.yaml" --ssh-config "$work/crowd" -j "$1" <<-'PY'
		import resource, subprocess, sys, time
		t = time.time()
		r = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, timeout=600)
		print("%d machines: %.2f s, peak RSS %.1f MiB, exit %d" % (r.stdout.count(b" ok="), time.time() - t,
		      resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, r.returncode))
		sys.exit(r.returncode)
	PY
}

lab install >&2
dpkg -s ansible >/dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -qy --no-install-recommends ansible >&2
(cd ../../.. && go build -o "$work/boxdoctor" .)
declare_site
if [ "$(grep -c '^  - ' "$work/.boxdoctor.yaml") $(grep -c '^    - ' "$work/site.yml")" != "40 40" ]; then
	echo "not 40 resources" >&2
	exit 1
fi
for round in $(seq "$rounds"); do
	for tool in boxdoctor ansible; do
		fresh
		short=${tool:0:1}
		echo "round $round, $tool: first apply, then $reruns unchanged re-runs" >&2
		"$tool" "$short-first" >&2
		if [ "$tool" = boxdoctor ]; then says 'changed=(39|38) failed=0'; else says 'changed=3[89] .*failed=0'; fi
		for _ in $(seq "$reruns"); do
			"$tool" "$short-again" >&2
			if [ "$tool" = boxdoctor ]; then says 'ok=40 changed=0 failed=0'; else says 'ok=40 +changed=0 .*failed=0'; fi
		done
	done
done
echo "$(date -u +%F), $(nproc) cores, $(uname -m), ansible $(dpkg-query -W -f='${Version}' ansible-core), $rounds rounds; load $(cut -d' ' -f1-3 /proc/loadavg)"
echo
echo "| 40 resources | boxdoctor | Ansible | ratio |"
echo "|---|---|---|---|"
line "first apply" first
line "unchanged re-run" again
echo
# sshd turns away some of many logins at once (MaxStartups); twenty guests would not
lab exec "$guest" sh -c 'echo MaxStartups 100 >>/etc/ssh/sshd_config && systemctl reload ssh' >&2
for n in 1 3 20; do crowd "$n"; done
