# Takes the Guest Additions' modules out of DKMS, which would build them beside Oracle's. $1 a folder to move to.
# Its record of each module is moved aside, so that it can be moved back.
aside=$1
for dir in /var/lib/dkms/*vbox* /var/lib/dkms/*virtualbox*; do
	[ -d "$dir" ] || continue
	name=${dir##*/}
	mkdir -p "$aside/var/lib/dkms"
	rm -rf "$aside/var/lib/dkms/$name"
	run cp -pR "$dir" "$aside/var/lib/dkms/$name"
	for version in "$dir"/*; do
		if [ -d "$version" ] && [ ! -L "$version" ] && command -v dkms >/dev/null 2>&1; then
			echo "+ dkms remove $name/${version##*/} --all"
			dkms remove "$name/${version##*/}" --all || echo "boxdoctor: dkms ended with status $?; its record is taken away all the same"
		fi
	done
	rm -rf "$dir"
done
depmod -a
