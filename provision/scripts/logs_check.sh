# Holds a new configuration of Fluent Bit against Fluent Bit itself before it takes its place. $1 the new file, $2 the
# program. The copy has the ending by which Fluent Bit knows YAML.
set -eu
umask 077
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
cp "$1" "$d/fluent-bit.yaml"
"$2" --dry-run -c "$d/fluent-bit.yaml"
