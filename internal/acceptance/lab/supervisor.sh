# shellcheck shell=bash
# Sourced by lab.sh: guests for Supervisor. "sup" is Debian with a repository of Debian's own packages (supervisor, the
# virtual environment's, gunicorn, celery); "el-sup" is the EL-like guest with the venv module, which EL's python3 brings
# and Debian packs apart. Wheels are fetched by pip on the outside.

SUP_PACKAGES=(supervisor python3-venv gunicorn celery python3-celery)

# wheels: supervisor 4.3 for every Python 3
wheels() {
	[ -e "$LAB/wheels/.done" ] && return 0
	mkdir -p "$LAB/wheels"
	timed "  wheels" timeout 120 /usr/bin/python3 -m pip --disable-pip-version-check --quiet download --no-deps --only-binary :all: -d "$LAB/wheels" supervisor==4.3.0 >&2
	: >"$LAB/wheels/.done"
}

# sup_debs: the packages and what they need beyond the root, into $LAB/sup-debs
sup_debs() {
	local work=$LAB/tmp/sup-apt
	rm -rf "$work" "$LAB/sup-debs"
	mkdir -p "$LAB/sup-debs"
	apt_private "$work"
	cp "$LAB/families-root/var/lib/dpkg/status" "$work/status"
	sources bookworm >"$work/sources.list"
	timeout 300 apt-get "${APT[@]}" -qq update >&2
	timeout 300 apt-get "${APT[@]}" -qq -y --no-install-recommends --download-only install "${SUP_PACKAGES[@]}" >&2
	mv "$work"/cache/archives/*.deb "$LAB/sup-debs/"
	rm -rf "$work"
}

build_sup() {
	local to=$LAB/sup f
	sup_debs
	mkdir -p "$to/srv" "$to/etc/apt"
	cp -a "$LAB/sup-debs" "$to/srv/debs"
	(cd "$to/srv/debs" && for f in *.deb; do
		dpkg-deb -f "$f"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$f" "$(stat -c %s "$f")" "$(sha256sum <"$f" | cut -c1-64)"
	done >Packages)
	echo 'deb [trusted=yes] file:/srv/debs ./' >"$to/etc/apt/sources.list"
	simple_index "$to"
}

# simple_index ROOT: the wheels as pip finds them at an index
simple_index() {
	local f
	mkdir -p "$1/srv/index/simple/supervisor"
	for f in "$LAB"/wheels/*.whl; do
		cp "$f" "$1/srv/index/simple/supervisor/"
		printf '<a href="%s">%s</a>\n' "$(basename "$f")" "$(basename "$f")"
	done >"$1/srv/index/simple/supervisor/index.html"
}

build_el_sup() {
	local to=$LAB/el-sup f
	for f in "$LAB"/sup-debs/{python3.11-venv,python3-pip-whl,python3-setuptools-whl}_*.deb; do unpack "$to" "$f"; done
	simple_index "$to"
}

sup_root() {
	families_root
	wheels
	built sup build_sup supervisor.sh
}

el_sup_root() {
	repo
	sup_root
	built el-sup build_el_sup supervisor.sh
}
