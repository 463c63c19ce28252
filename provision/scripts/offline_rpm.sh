# Installs packages from a folder of package files and from nowhere else: of the folder, those that were asked for and
# what they need. $1 the folder, which is taken away, $2 the packages, one a line; then the command that takes files.
folder=$1 names=$2
shift 2
trap 'rm -rf "$folder"; rmdir "${folder%/*}" 2>/dev/null || :' EXIT
wait_idle
cd "$folder" || exit 1
files=$(for f in *.rpm; do
	rpm -qp --nosignature --qf 'N\t%{NAME}\t%{VERSION}\t%{RELEASE}\n[P\t%{PROVIDENAME}\n][P\t%{FILENAMES}\n][R\t%{REQUIRENAME}\n]' "$f" 2>/dev/null |
		while IFS= read -r line; do printf '%s\t%s\n' "$f" "$line"; done
done | NAMES=$names awk -F'\t' '
	# expression: a name with stars as a regular expression
	function expression(word) {
		gsub(/[^A-Za-z0-9*_-]/, "[&]", word)
		gsub(/\*/, ".*", word)
		return "^" word "$"
	}
	function take(file) { if (file != "" && !(file in taken)) { taken[file] = 1; queue[++last] = file } }
	$2 == "N" { name[$1] = $3; version[$1] = $4; release[$1] = $5 }
	$2 == "P" { if (!($3 in by)) by[$3] = $1 }
	$2 == "R" { needs[$1] = needs[$1] "\n" $3 }
	END {
		n = split(ENVIRON["NAMES"], wanted, "\n")
		for (i = 1; i <= n; i++) {
			before = last
			e = expression(wanted[i])
			for (f in name)
				if (name[f] ~ e || name[f] "-" version[f] ~ e || name[f] "-" version[f] "-" release[f] ~ e) take(f)
			if (last == before) take(by[wanted[i]])
		}
		for (at = 1; at <= last; at++) {
			print queue[at]
			n = split(needs[queue[at]], need, "\n")
			for (i = 1; i <= n; i++) if (need[i] in by) take(by[need[i]])
		}
	}' | sort)
if [ -z "$files" ]; then
	echo "boxdoctor: the folder of --packages has none of these: $(printf '%s' "$names" | tr '\n' ' ')"
	exit 1
fi
# names of package files have no blanks
set -f
IFS='
'
# shellcheck disable=SC2046,SC2086 # one word a line
run_files "$folder" "$@" $(printf './%s\n' $files)
