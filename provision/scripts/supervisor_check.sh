# Holds a new file of supervisord's configuration against supervisord's own parser, together with all files that are
# live, before it takes its place (D4: supervisord has no option for it). $1 the new file, $2 its place, $3 the main
# file, $4 the folder of the programs, $5 the ending of their names, $6 supervisord.
set -eu
umask 077
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
mkdir "$d/programs"
for f in "$4"/*"$5"; do
	if [ -e "$f" ]; then cp "$f" "$d/programs/"; fi
done
main=$3
if [ "$2" = "$3" ]; then main=$1; else cp "$1" "$d/programs/${2##*/}"; fi
sed "s,^files *=.*,files = $d/programs/*$5," "$main" >"$d/main.conf"
python=$(sed -n '1s/^#! *//p' "$6")
$python - "$d/main.conf" <<'PY'
import sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(['-c', sys.argv[1]])
PY
