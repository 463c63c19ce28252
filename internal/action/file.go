package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// putScript is one line because it travels as an argument. $1 file, $2 mode, $3 expected sha256 or empty, $4 backup
// or empty, $5 sha256 of the new content: a cut link looks like the end of the input, and half a file must not
// take the place of a whole one. $6 owner or empty, then a program that must accept the new file; its argument %s is
// that file.
const putScript = `set -eu; umask 077; f=$1; if [ -L "$f" ]; then f=$(readlink -f "$f"); fi; t="$f.boxdoctor-new"; ` +
	`trap 'rm -f "$t"' EXIT; trap 'exit 143' HUP INT TERM; cat >"$t"; ` +
	`if [ "$(sha256sum <"$t" | cut -c1-64)" != "$5" ]; then echo "the new content of $f arrived incomplete: nothing was written" >&2; exit 9; fi; ` +
	`if [ -n "$3" ]; then ` +
	`if [ ! -e "$f" ]; then echo "$f is gone since it was read: nothing was written" >&2; exit 9; fi; ` +
	`have=$(sha256sum <"$f" | cut -c1-64); ` +
	`if [ "$have" != "$3" ]; then echo "$f changed since it was read: nothing was written" >&2; exit 9; fi; ` +
	`if [ -n "$4" ]; then mkdir -p "$(dirname "$4")"; cp -p "$f" "$4"; fi; ` +
	`elif [ -e "$f" ]; then echo "$f exists: nothing was written" >&2; exit 9; fi; ` +
	`chmod "$2" "$t"; if [ -n "$6" ]; then chown "$6" "$t"; fi; shift 6; ` +
	`if [ $# -gt 0 ]; then n=$#; for a in "$@"; do if [ "$a" = %s ]; then a=$t; fi; set -- "$@" "$a"; done; shift "$n"; ` +
	`if ! "$@" >&2; then echo "$1 refuses the new content of $f: nothing was written" >&2; exit 9; fi; fi; ` +
	`mv -f "$t" "$f"; if command -v restorecon >/dev/null 2>&1; then restorecon "$f" || true; fi`

func (p PutFile) apply(ctx context.Context, t *Target) error {
	_, err := t.Guest.Run(ctx, guest.Cmd{
		Name: p.Title(), Sudo: true, Timeout: time.Minute,
		Argv:  append([]string{"sh", "-c", putScript, "sh"}, p.args()...),
		Stdin: strings.NewReader(p.Content),
	})
	return err
}

// args are those of putScript.
func (p PutFile) args() []string {
	return append([]string{p.Path, fmt.Sprintf("%04o", p.Mode&0o7777), p.WasSHA256, p.Backup, hash(p.Content), p.Owner}, p.Validate...)
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// sweepScript takes away what killed runs left: drop folders and run folders of runs without a live job. $1 is the
// folder of all runs, $2 this run's id, $3 the folder of all jobs, $4 where drop folders are. What was written to in
// the last two minutes may be an upload of another run that is under way: then nothing of any run is touched.
const sweepScript = `
sweep() {
	for old in "$4"/boxdoctor.??????????; do
		if [ ! -d "$old" ] || [ -L "$old" ]; then continue; fi
		if [ -n "$(find "$old" -mmin -2 2>/dev/null | head -n 1)" ]; then return 0; fi
		rm -rf "$old"
	done
	for old in "$1"/*; do
		if [ ! -d "$old" ] || [ -L "$old" ] || [ "${old##*/}" = "$2" ]; then continue; fi
		rmdir "$old" 2>/dev/null && continue
		if [ -n "$(find "$old" -mmin -2 2>/dev/null | head -n 1)" ]; then continue; fi
		live=no
		for job in "$3/${old##*/}"-*; do
			if [ -e "$job/pid" ] && [ ! -e "$job/rc" ] && kill -0 "$(cat "$job/pid")" 2>/dev/null; then live=yes; fi
		done
		if [ "$live" = no ]; then rm -rf "$old"; fi
	done
}
`

// dropRoot is where drop folders are made: not /tmp, which may be small.
const dropRoot = "/var/tmp"

// dropScript makes the root-only home of the upload and a drop folder that only the login user can enter, with
// names that nobody can guess. $1 final folder, $2 login user, $3 folder of all jobs, $4 where drop folders are.
const dropScript = `set -eu
umask 077` + sweepScript + `
sweep "${1%/*}" "${1##*/}" "$3" "$4" || true
mkdir -p "$1"
d=$(mktemp -d "$4/boxdoctor.XXXXXXXXXX")
chown "$2" "$d"
echo "$d"
`

// takeScript copies the upload into the root-only folder and hashes the copy there, where nobody else can change it
// any more: a file that was only moved could still be written to by whoever has it open. $1 drop folder, $2 name,
// $3 final path, $4 sha256.
const takeScript = `set -eu
umask 077
trap 'rm -f "$3.in"' EXIT
mv -f "$1/$2" "$3.in"
rmdir "$1"
if [ -L "$3.in" ] || [ ! -f "$3.in" ]; then
	echo "what arrived is no ordinary file: it was deleted and not run" >&2
	exit 9
fi
rm -f "$3"
if ! cp "$3.in" "$3"; then
	rm -f "$3"
	exit 1
fi
chown 0:0 "$3"
chmod 0600 "$3"
have=$(sha256sum <"$3" | cut -c1-64)
if [ "$have" != "$4" ]; then
	rm -f "$3"
	echo "the file arrived with sha256 $have, wanted $4: it was deleted and not run" >&2
	exit 9
fi
`

func (u Upload) apply(ctx context.Context, t *Target) error {
	f, err := os.Open(u.Local)
	if err != nil {
		return fmt.Errorf("the file to upload cannot be read: %w", err)
	}
	defer f.Close()
	ctx, cancel := withStop(ctx, t.Stop)
	defer cancel()
	who, err := t.Guest.Run(ctx, guest.Cmd{Name: "ask who logs in", Argv: []string{"id", "-un"}})
	if err != nil {
		return err
	}
	res, err := t.Guest.Run(ctx, guest.Cmd{Name: "prepare the upload folder", Sudo: true, Script: dropScript,
		Args: []string{path.Dir(u.Remote), strings.TrimSpace(string(who.Stdout)), JobRoot, dropRoot}})
	if err != nil {
		return err
	}
	drop, name := strings.TrimSpace(string(res.Stdout)), path.Base(u.Remote)
	if err := t.Guest.Put(ctx, drop+"/"+name, 0o600, f, u.Size, t.uploaded(u.Size)); err != nil {
		t.dropAway(ctx, drop, path.Dir(u.Remote))
		return fmt.Errorf("%s: %w", u.Title(), err)
	}
	_, err = t.Guest.Run(ctx, guest.Cmd{Name: "check the upload in the guest", Sudo: true, Timeout: 5 * time.Minute,
		Script: takeScript, Args: []string{drop, name, u.Remote, u.SHA256}})
	if err != nil {
		t.dropAway(ctx, drop, path.Dir(u.Remote))
	}
	return err
}

// dropForm is what a drop folder's name looks like: what the guest says is not believed.
var dropForm = regexp.MustCompile(`^` + dropRoot + `/boxdoctor\.[A-Za-z0-9]+$`)

// dropAway deletes what a failed upload left, and its home when it is empty. The caller's context may be over
// already, so it gets its own time.
func (t *Target) dropAway(ctx context.Context, drop, home string) {
	if !dropForm.MatchString(drop) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	_, err := t.Guest.Run(ctx, guest.Cmd{Name: "delete the partial upload", Sudo: true, Timeout: 15 * time.Second,
		Script: "rm -rf \"$1\"; rmdir \"$2\" 2>/dev/null || true\n", Args: []string{drop, home}})
	if err != nil {
		t.print("could not delete the partial upload " + drop + ": " + err.Error() + "\n")
	}
}

func (t *Target) uploaded(size int64) func(int64) {
	if size <= 0 {
		return nil
	}
	last := int64(-1)
	return func(n int64) {
		if pct := n * 100 / size; pct != last {
			last = pct
			t.say(fmt.Sprintf("upload %d%% of %d MiB", pct, size>>20))
		}
	}
}

// withStop is ctx that also ends when stop closes: an upload changes nothing yet and need not be waited for.
func withStop(ctx context.Context, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if stop == nil {
		return ctx, cancel
	}
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
