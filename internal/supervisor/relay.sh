# Starts the relay ($1) with the Python that is here; the other arguments are the relay's. Supervisor is Python: where
# there is none, there is no Supervisor, unless its configuration says that there should be.
set -u
# so that no module is taken from where the login user happens to be
cd /
for python in python3 python2 python /usr/libexec/platform-python /opt/boxdoctor/supervisor/bin/python; do
	if command -v "$python" >/dev/null 2>&1; then exec "$python" -E -S -c "$@"; fi
done
for f in /etc/supervisor/supervisord.conf /etc/supervisord.conf /etc/boxdoctor/supervisor/supervisord.conf; do
	if [ -e "$f" ]; then
		echo "boxdoctor: $f is here, and no Python to ask its supervisord with" >&2
		exit 98
	fi
done
echo '{"instances": []}'
