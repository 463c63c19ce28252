# Signs the Guest Additions' modules of one kernel with the machine owner's key, and makes that key where there is none.
# $1 kernel, $2 the program that signs. The key is enrolled by its owner at the VM's console, not here.
kernel=$1
tool=$2
keys=/var/lib/shim-signed/mok
if [ ! -e "$keys/MOK.priv" ] || [ ! -e "$keys/MOK.der" ]; then
	if ! command -v openssl >/dev/null 2>&1; then
		echo "boxdoctor: there is no key in $keys and no openssl to make one; install openssl first"
		exit 1
	fi
	mkdir -p "$keys"
	chmod 0700 "$keys"
	umask 077
	set -- -new -x509 -newkey rsa:2048 -nodes -days 36500 -outform DER -subj "/CN=$(uname -n) machine owner key/" -keyout "$keys/MOK.priv" -out "$keys/MOK.der"
	echo "+ openssl req $*"
	# openssl before 1.1.1 has no -addext
	openssl req "$@" -addext extendedKeyUsage=codeSigning 2>/dev/null || run openssl req "$@"
	umask 022
fi
signed=0
for module in "/lib/modules/$kernel"/misc/vbox*.ko; do
	[ -e "$module" ] || continue
	if [ -n "$(modinfo -F signer "$module" 2>/dev/null)" ]; then
		echo "boxdoctor: $module is signed already"
	else
		run "$tool" sha256 "$keys/MOK.priv" "$keys/MOK.der" "$module"
	fi
	signed=$((signed + 1))
done
if [ "$signed" -eq 0 ]; then
	echo "boxdoctor: no uncompressed module of the Guest Additions lies below /lib/modules/$kernel/misc"
	exit 1
fi
depmod -a "$kernel"
