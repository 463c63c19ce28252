# Installs packages from a folder of package files and from nowhere else: the folder becomes a repository for one
# command. $1 the folder, which is taken away; then the packages.
folder=$1
shift
trap 'rm -rf "$folder"; rmdir "${folder%/*}" 2>/dev/null || :' EXIT
wait_idle
cd "$folder" || exit 1
for f in *%*; do
	if [ -e "$f" ]; then mv "$f" "$(printf '%s' "$f" | tr % _)"; fi
done
for f in *.deb; do
	dpkg-deb -f "$f" | sed '/^$/d'
	printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$f" "$(wc -c <"$f" | tr -d ' ')" "$(sha256sum <"$f" | cut -d' ' -f1)"
done >Packages
mkdir -p lists/partial
echo "deb [trusted=yes] file:$folder ./" >offline.list
apt() {
	apt-get -q -y -o Dir::Etc::sourcelist="$folder/offline.list" -o Dir::Etc::sourceparts=/nonexistent -o Dir::State::Lists="$folder/lists" \
		-o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"
}
apt update
run_files "$folder" apt install "$@"
