# Installs supervisor into a virtual environment of its own, never into the system's Python (PEP 668). $1 its folder,
# $2 the requirement, $3 the index or empty, $4 a folder of wheels or empty, which is taken away.
set -eu
if [ -n "$4" ]; then trap 'rm -rf "$wheels"; rmdir "${wheels%/*}" 2>/dev/null || :' EXIT; fi
wheels=$4
if [ ! -x "$1/bin/pip" ]; then
	# what an earlier try left half done; nothing else lies in this folder
	rm -rf "$1"
	mkdir -p "${1%/*}"
	if command -v python3 >/dev/null 2>&1; then
		python3 -m venv "$1"
	elif command -v virtualenv >/dev/null 2>&1; then
		virtualenv "$1"
	else
		echo "boxdoctor: this guest has neither python3 with its venv module nor virtualenv: install one of them first"
		exit 1
	fi
fi
requirement=$2 index=$3 pip=$1/bin/pip
set --
if [ -n "$wheels" ]; then set -- --no-index --find-links "$wheels"; fi
if [ -n "$index" ]; then
	set -- --index-url "$index"
	case $index in http://*) host=${index#http://} host=${host%%/*}; set -- "$@" --trusted-host "${host%%:*}" ;; esac
fi
# Python before 3.8 still needs setuptools when it runs, though supervisor 4.3 does not say so; pip of Python 2.6 does not
# know that newer releases of meld3 are not for it.
old=$("${pip%/pip}/python" -c 'import sys; v = sys.version_info; print(v < (2, 7) and "meld3==1.0.2" or v < (3, 8) and "setuptools<82" or "")')
# shellcheck disable=SC2086 # one word or none
"$pip" --disable-pip-version-check install "$@" "$requirement" $old
