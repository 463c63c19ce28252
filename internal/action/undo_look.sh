# Says how things stand that a run of boxdoctor changed. $1 is the run, $2 the folder of all backups, $3 that of all
# jobs, $4 that of locks that are off; then four for each thing: kind, path, the folder of its job's notes (or nothing),
# its line there. state is defined above this text. Nothing is changed.
set -u
for trace in "$2/$1" "$3/$1"-*; do
	if [ -d "$trace" ]; then
		echo "known $1"
		break
	fi
done
for trace in "$4"/*; do
	if [ -d "$trace" ]; then
		echo "pending $trace"
		break
	fi
done
shift 4
number=0
while [ "$#" -ge 4 ]; do
	echo "$number now $(state "$1" "$2")"
	for when in was left; do
		if [ -n "$3" ] && [ -f "$3/$when" ]; then
			echo "$number $when $(sed -n "$4p" "$3/$when")"
		fi
	done
	number=$((number + 1))
	shift 4
done
