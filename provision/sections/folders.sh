# shellcheck shell=sh
# folders PATH...: the names of the files in each that boxdoctor wrote, which their first line says.
for bd_d in "$@"; do
	tag folder "$bd_d"
	for bd_f in "$bd_d"/*; do
		[ -f "$bd_f" ] || continue
		IFS= read -r bd_l <"$bd_f" || bd_l=
		case $bd_l in '# boxdoctor provision'* | '; boxdoctor provision'*) printf '| %s\n' "${bd_f##*/}" ;; esac
	done
done
