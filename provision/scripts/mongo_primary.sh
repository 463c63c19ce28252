# The file $1 is there exactly while a mongod of this machine is the primary of its set; further arguments are ports.
# Whatever goes wrong takes it away. It is run every few seconds, and ends within a few seconds.
set -u
flag=$1
shift
shell=''
for c in mongosh mongo; do
	if command -v "$c" >/dev/null 2>&1; then
		shell=$c
		break
	fi
done
limit=''
if command -v timeout >/dev/null 2>&1; then limit='timeout 8'; fi
code='try { var h = db.hello ? db.hello() : db.isMaster(); print((h.isWritablePrimary || (h.setName && h.ismaster)) ? "boxdoctor-primary " + (h.electionId || "-") : "boxdoctor-other"); } catch (e) { print("boxdoctor-other"); }'
found=''
for port in "$@"; do
	if [ -z "$shell" ]; then break; fi
	# shellcheck disable=SC2086 # a program and its argument, or nothing
	said=$($limit "$shell" --quiet --norc "mongodb://127.0.0.1:$port/admin?directConnection=true&connectTimeoutMS=2000&serverSelectionTimeoutMS=2000" --eval "$code" 2>/dev/null </dev/null)
	case $said in
	*boxdoctor-primary*)
		found="host $(uname -n) port $port election ${said##*boxdoctor-primary }"
		break
		;;
	esac
done
if [ -z "$found" ]; then
	rm -f "$flag"
	exit 0
fi
umask 022
mkdir -p "${flag%/*}" || exit 1
if printf '%s time %s\n' "$found" "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" >"$flag.new" && mv -f "$flag.new" "$flag"; then exit 0; fi
rm -f "$flag" "$flag.new"
exit 1
