# How things of the guest stand, and the notes of it that a job leaves, so that `boxdoctor undo` can put them back.
# A state is one line: absent, "file SHA256 MODE OWNER", "link TARGET", dir, "mounted SOURCE", or other.

# mounted PATH prints what is mounted on it. Blanks are octal in /proc/mounts.
mounted() {
	want=$(printf '%s\n' "$1" | sed -e 's/\\/\\134/g' -e 's/ /\\040/g')
	found=absent
	while read -r source target rest; do
		if [ "$target" = "$want" ]; then
			found="mounted $source"
		fi
	done </proc/mounts
	echo "$found"
}

# state KIND PATH: a "file" is what a link leads to, a "name" is the link itself, a "mount" what lies on a folder.
state() {
	thing=$2
	case $1 in
	mount)
		mounted "$2"
		return
		;;
	file) if [ -L "$2" ] && [ -e "$2" ]; then thing=$(readlink -f "$2"); fi ;;
	esac
	if [ -L "$thing" ]; then
		echo "link $(readlink "$thing")"
	elif [ -f "$thing" ]; then
		echo "file $(sha256sum <"$thing" | cut -c1-64) $(stat -c '%a %u:%g' "$thing")"
	elif [ -d "$thing" ]; then
		echo dir
	elif [ -e "$thing" ]; then
		echo other
	else
		echo absent
	fi
}

# note WHEN LIST DIR writes the states of all things of LIST (lines "KIND PATH") to DIR/WHEN in one step; the first
# time with copies of the files, DIR/1 for the first line and so on.
note() {
	mkdir -p "$3" || return 1
	chmod 0700 "$3"
	line=0
	while read -r kind path; do
		line=$((line + 1))
		now=$(state "$kind" "$path")
		case $1:$now in
		"was:file "*) cp -p "$path" "$3/$line" || return 1 ;;
		esac
		printf '%s\n' "$now"
	done <"$2" >"$3/$1.new" && mv -f "$3/$1.new" "$3/$1"
}
