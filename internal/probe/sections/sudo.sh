# shellcheck shell=sh
# The question itself was asked once, by the driver.
tag uid "$BD_UID"
tag user "$BD_USER"
tag sudo "$(command -v sudo 2>/dev/null)"
tag answer "$BD_SUDO_RC"
[ -z "$BD_SUDO_TEXT" ] || printf '%s\n' "$BD_SUDO_TEXT" | head -c 4096 | sed 's/^/| /'
exit 0
