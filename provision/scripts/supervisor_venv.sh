# Installs supervisor into a virtual environment of its own, never into the system's Python (PEP 668). $1 its folder,
# $2 the index or empty, $3 a folder of wheels or empty, which is taken away; then the requirements.
set -eu
if [ -n "$3" ]; then trap 'rm -rf "$wheels"; rmdir "${wheels%/*}" 2>/dev/null || :' EXIT; fi
home=$1 index=$2 wheels=$3
shift 3
if [ ! -x "$home/bin/pip" ]; then
	# what an earlier try left half done; nothing else lies in this folder
	rm -rf "$home"
	mkdir -p "${home%/*}"
	if command -v python3 >/dev/null 2>&1; then
		python3 -m venv "$home"
	elif command -v virtualenv >/dev/null 2>&1; then
		virtualenv "$home"
	else
		echo "boxdoctor: this guest has neither python3 with its venv module nor virtualenv: install one of them first"
		exit 1
	fi
fi
if [ -n "$wheels" ]; then set -- --no-index --find-links "$wheels" "$@"; fi
if [ -n "$index" ]; then
	case $index in http://*) host=${index#http://} host=${host%%/*}; set -- --trusted-host "${host%%:*}" "$@" ;; esac
	set -- --index-url "$index" "$@"
fi
# Python before 3.8 still needs setuptools when it runs, though supervisor 4.3 does not say so; pip of Python 2.6 does not
# know that newer releases of meld3 are not for it.
old=$("$home/bin/python" -c 'import sys; v = sys.version_info; print(v < (2, 7) and "meld3==1.0.2" or v < (3, 8) and "setuptools<82" or "")')
case " $*" in *" ${old%%[<=]*}"[\<=]*) old='' ;; esac # asked for already
# shellcheck disable=SC2086 # one word or none
"$home/bin/pip" --disable-pip-version-check install "$@" $old
