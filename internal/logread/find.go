// Package logread reads the logs of applications in guests: finds the files, has them filtered where they lie, and puts the lines
// of all machines into the order of time.
package logread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// maxFiles is how many files of one machine are read: each takes a session, and a guest has eight. In the eighth, files
// that come into being are looked for.
const maxFiles = 7

// Log is one log with its rotated files.
type Log struct {
	Path string
	Size int64
	// modified is when something was written last, by the guest's clock.
	modified time.Time
	readable bool
	// id tells which file it is, whatever its name.
	id    string
	parts []part
}

// part is a rotated file of a log.
type part struct {
	path     string
	modified time.Time
	readable bool
}

// Clock is how far a guest's clock is from the host's, and how exactly that is known.
type Clock struct{ Skew, Slack time.Duration }

// Known says whether the clock certainly differs by more than lines of different machines may be apart.
func (c Clock) Known() bool { return c.Skew.Abs() > c.Slack+50*time.Millisecond }

// Found is what a machine has.
type Found struct {
	Logs  []Log
	Clock Clock
	// Missing are patterns that no file has.
	Missing []string
	// Sudo says that the files are only read by root.
	Sudo bool
	// session waits to be told which file to read or, if watching, lists the files again when there are new ones; nil: there is none.
	session  *session
	watching bool
	// listed are all names.
	listed []string
}

// Close ends what Find has left open in the guest and Read was not given.
func (f *Found) Close() {
	if f.session != nil {
		_ = f.session.end(true)
		f.session = nil
	}
}

// Sources are the logs as sources of one machine and, of logs that are followed, one that brings what comes into being later; f needs no
// Close then if there is any. Skipped are rotated files that belong to them and are not read.
func (f *Found) Sources(machine string, g guest.Runner, filter Filter) (sources []Source, skipped []string) {
	since := filter.Since
	if !since.IsZero() {
		since = since.Add(f.Clock.Skew - f.Clock.Slack)
	}
	if f.watching && f.session != nil {
		sources = append(sources, Source{Machine: machine, Guest: g, Clock: f.Clock, Sudo: f.Sudo, session: f.session, seen: ids(f.Logs)})
		f.session = nil
	}
	for _, log := range f.Logs {
		files, not := log.Paths(since)
		skipped = append(skipped, not...)
		sources = append(sources, Source{Machine: machine, Guest: g, Files: files, Clock: f.Clock, Sudo: f.Sudo, session: f.session})
		f.session = nil
	}
	return sources, skipped
}

// ErrTooMany means that the patterns match more files than are read from one machine.
var ErrTooMany = errors.New("too many log files")

// Find looks for the files that patterns name. Files that the login user cannot read, or not even see, are looked for as root. Its
// session stays open, so that the first log is read in it; ctx must outlive that.
func Find(ctx context.Context, g guest.Runner, patterns []string, o Options, now func() time.Time) (Found, error) {
	f, err := find(ctx, g, patterns, o, now, false)
	if err == nil && len(f.Missing) == 0 && !slices.ContainsFunc(f.Logs, func(l Log) bool { return !l.readable }) {
		return f, nil
	}
	if err != nil {
		f.Close()
		return f, err
	}
	root, rootErr := find(ctx, g, patterns, o, now, true)
	if rootErr != nil || !o.Follow { // by sudo on a terminal standard input comes in blocks, so nothing can be told to a step that runs
		root.Close()
	}
	if rootErr != nil { // no root: then what the user sees is what there is
		return f, nil //nolint:nilerr // an unreadable file says so when it is read
	}
	f.Close()
	return root, nil
}

func find(ctx context.Context, g guest.Runner, patterns []string, o Options, now func() time.Time, sudo bool) (Found, error) {
	start := now()
	c := o.command("find log files", o.mode(false), "?", patterns)
	c.Sudo = sudo
	s := begin(ctx, g, c)
	late := time.AfterFunc(findTimeout, func() { _ = s.out.CloseWithError(errors.New("the list of files did not come in time")) })
	list, heard, err := s.list(now)
	late.Stop()
	if err != nil {
		if stepErr := s.end(false); stepErr != nil {
			err = stepErr
		}
		return Found{}, err
	}
	f := parseFound(list, start, heard)
	f.Sudo, f.session, f.watching = sudo, s, o.Follow
	if o.Follow {
		f.Logs = slices.DeleteFunc(f.Logs, func(l Log) bool { return compressed(l.Path) })
	}
	if len(f.Logs) > maxFiles {
		err = fmt.Errorf("%w: the patterns match %d, at most %d of one machine are read together; name fewer with --file", ErrTooMany, len(f.Logs), maxFiles)
	}
	return f, err
}

// listLimit bounds a list of files, findTimeout the wait for it.
const (
	listLimit   = 1 << 20
	findTimeout = 30 * time.Second
)

// list takes the list of files. Heard is when its first line came, which tells the time in the guest.
func (s *session) list(now func() time.Time) (text string, heard time.Time, err error) {
	var b strings.Builder
	for b.Len() < listLimit {
		line, _, err := s.lines.Next()
		if err != nil {
			return "", heard, fmt.Errorf("the guest stopped before the end of its list: %w", noEOF(err))
		}
		if heard.IsZero() {
			heard = now()
		}
		if string(line) == ".\n" {
			return b.String(), heard, nil
		}
		_, _ = b.Write(line)
	}
	return "", heard, fmt.Errorf("the guest lists more than %d bytes of file names; name fewer with --file", listLimit)
}

// noEOF is an end as an error that says something.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseFound reads what read.sh lists. What lies between start and end is how exactly the clock is known.
func parseFound(out string, start, end time.Time) Found {
	var f Found
	var bases []Log
	again := false // the file is known by another pattern or name, and so are the rotated ones that follow it in the list
	for line := range strings.Lines(out) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "now":
			f.Clock = parseClock(rest, start, end)
		case "none":
			f.Missing = append(f.Missing, rest)
		case "file":
			l, ok := parseFile(rest)
			f.listed = append(f.listed, l.Path)
			again = !ok || slices.ContainsFunc(bases, func(b Log) bool { return b.Path == l.Path || b.id == l.id })
			if !again {
				bases = append(bases, l)
			}
		case "part":
			if l, ok := parseFile(rest); ok && !again && len(bases) > 0 {
				last := &bases[len(bases)-1]
				last.parts = append(last.parts, part{l.Path, l.modified, l.readable})
			}
		}
	}
	f.Logs = withoutParts(bases)
	return f
}

// parseFile reads "READABLE MTIME SIZE ID PATH".
func parseFile(s string) (Log, bool) {
	w := strings.SplitN(s, " ", 5)
	if len(w) < 5 || !path.IsAbs(w[4]) {
		return Log{}, false
	}
	modified, err1 := strconv.ParseInt(w[1], 10, 64)
	size, err2 := strconv.ParseInt(w[2], 10, 64)
	return Log{Path: w[4], Size: size, id: w[3], modified: time.Unix(modified, 0), readable: w[0] == "r"}, err1 == nil && err2 == nil
}

// parseClock reads "SECONDS NANOSECONDS"; a date without %N leaves the letter, and then the second is all that is known.
func parseClock(s string, start, end time.Time) Clock {
	sec, nano, _ := strings.Cut(s, " ")
	at, err := strconv.ParseInt(sec, 10, 64)
	if err != nil {
		return Clock{Slack: time.Hour}
	}
	half := end.Sub(start) / 2
	ns, err := strconv.ParseInt(nano, 10, 64)
	if err != nil || len(nano) != 9 {
		return Clock{time.Unix(at, 5e8).Sub(start.Add(half)), half + 500*time.Millisecond}
	}
	return Clock{time.Unix(at, ns).Sub(start.Add(half)), half}
}

// withoutParts leaves out what a pattern matched although it is a rotated file of another match: it is read with that one.
func withoutParts(logs []Log) []Log {
	rotated := map[string]bool{}
	for _, l := range logs {
		for _, p := range l.parts {
			rotated[p.path] = true
		}
	}
	return slices.DeleteFunc(logs, func(l Log) bool { return rotated[l.Path] })
}

// Paths are the files to read, the oldest first, when records since a time of the guest's clock are wanted. Without that time only
// the log itself is read. Skipped are rotated files that would belong here and are compressed in a way that is not read.
func (l Log) Paths(since time.Time) (paths, skipped []string) {
	if since.IsZero() {
		return []string{l.Path}, nil
	}
	parts := slices.Clone(l.parts)
	slices.SortStableFunc(parts, func(a, b part) int { return a.modified.Compare(b.modified) })
	for _, p := range parts {
		switch ext := path.Ext(p.path); {
		case p.modified.Before(since):
		case ext == ".xz" || ext == ".bz2" || ext == ".zst":
			skipped = append(skipped, p.path)
		default:
			paths = append(paths, p.path)
		}
	}
	return append(paths, l.Path), skipped
}
