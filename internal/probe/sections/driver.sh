# shellcheck shell=sh
# boxdoctor's probe: reads, writes nothing. Positional parameters: the login user, the number of wanted
# mounts, guest path, owner and group of each, then package names to ask for.
# The lines before this text set BD_NONCE, BD_SLOW and BD_LIB; those after it call section, once for each.
LC_ALL=C
export LC_ALL
unset LANG LANGUAGE BASH_ENV ENV CDPATH GREP_OPTIONS POSIXLY_CORRECT
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export PATH
IFS=' 	
'
umask 077
cd / || exit 1

# timeout(1): with -k (coreutils 8.5), without (EL6), with -t (old busybox), or none (EL5).
BD_TIMEOUT=
if command -v timeout >/dev/null 2>&1; then
	if timeout -k 2 5 true; then
		BD_TIMEOUT='timeout -k 2'
	elif timeout 5 true; then
		BD_TIMEOUT=timeout
	elif timeout -t 5 true; then
		BD_TIMEOUT='timeout -t'
	fi
fi >/dev/null 2>&1 </dev/null

# limited SECONDS TEXT ARGS...: runs a section in a shell of its own. Its exit status, or 124 after the limit.
limited() {
	bd_lim=$1 bd_text=$2
	shift 2
	if [ -n "$BD_TIMEOUT" ]; then
		# shellcheck disable=SC2086 # a program and its options
		$BD_TIMEOUT "$bd_lim" sh -c "$BD_LIB$bd_text" sh "$@" </dev/null 2>&1
	elif command -v kill >/dev/null 2>&1 && command -v sleep >/dev/null 2>&1; then
		(eval "$BD_LIB$bd_text") </dev/null 2>&1 &
		bd_pid=$!
		# the watchdog looks every second, so that it is gone a second after the section
		(
			while [ "$bd_lim" -gt 0 ] && kill -0 "$bd_pid"; do
				sleep 1
				bd_lim=$((bd_lim - 1))
			done
			[ "$bd_lim" -gt 0 ] || kill -9 "$bd_pid"
		) </dev/null >/dev/null 2>&1 &
		wait "$bd_pid" 2>/dev/null
	else
		# no way to limit it: the deadline of the whole probe must do
		(eval "$BD_LIB$bd_text") </dev/null 2>&1
	fi
}

# section NAME SECONDS TEXT ARGS...
section() {
	bd_sect=$1
	shift
	printf '\n@@boxdoctor %s begin %s\n' "$BD_NONCE" "$bd_sect"
	limited "$@"
	printf '\n@@boxdoctor %s end %s %s\n' "$BD_NONCE" "$bd_sect" "$?"
}

# shellcheck disable=SC2154 # BD_LIB is set by the lines before
eval "$BD_LIB"
BD_UID=$(id -u)
BD_USER=${1:-$(id -un)}
BD_KERNEL=$(uname -r)
BD_MANAGER=$(manager)
BD_ROOT=no
BD_SUDO_RC=
BD_SUDO_TEXT=
[ "$BD_UID" != 0 ] || BD_ROOT=root
export BD_UID BD_USER BD_KERNEL BD_MANAGER BD_ROOT BD_TIMEOUT BD_SLOW BD_SUDO_RC BD_SUDO_TEXT

# find_root: asks sudo once, for all sections that have a part for root.
find_root() {
	[ "$BD_UID" != 0 ] || return 0
	command -v sudo >/dev/null 2>&1 || return 0
	BD_SUDO_TEXT=$(lim 10 sudo -n true 2>&1 </dev/null)
	BD_SUDO_RC=$?
	[ "$BD_SUDO_RC" != 0 ] || BD_ROOT=sudo
}
