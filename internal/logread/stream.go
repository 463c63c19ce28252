package logread

import (
	"bytes"
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/logline"
)

//go:embed read.sh
var readScript string

// Filter says which records are wanted; what is zero asks for nothing.
type Filter struct {
	RequestID string
	Level     logline.Severity
	Type      string
	// Since is by the host's clock.
	Since time.Time
	// Grep is a POSIX extended regular expression; a record is wanted if any of its lines matches.
	Grep string
}

// Source is one log of one machine.
type Source struct {
	Machine string
	Guest   guest.Runner
	// Files are read one after the other; what is followed is the last.
	Files []string
	Clock Clock
	Sudo  bool
	// session is one that waits for the names; nil: a new one is begun. Of a source that brings new logs it is one that lists files.
	session *session
	// seen are, of a source that brings new logs, the files that were there before; nil: it is a log.
	seen map[string]bool
	// begins says that the log is new and followed from its first byte.
	begins bool
}

// watches says whether this is no log, but brings new ones.
func (s Source) watches() bool { return s.seen != nil }

// path is the log's own name.
func (s Source) path() string { return s.Files[len(s.Files)-1] }

// Entry is one line of a log.
type Entry struct {
	Machine, File string
	// At is the record's time by the host's clock, never less than that of the line before it in its log.
	At time.Time
	// Text is the line without its end; Cut says that it was longer.
	Text []byte
	Cut  bool
	// Continues says that this is no record, but goes on with the one before it.
	Continues bool
}

// Severity is the level of a record; ok is false if the entry is none or has none.
func (e Entry) Severity() (s logline.Severity, ok bool) {
	var l logline.Line
	if e.Continues || l.Parse(e.Text) != nil {
		return 0, false
	}
	return l.Severity()
}

// Options of reading.
type Options struct {
	Filter Filter
	Follow bool
	// Timeout bounds the reading of one log.
	Timeout time.Duration
	// Tell hears, while logs are followed, at once what Read will return as a problem.
	Tell func(Problem)
	// holdBack is how long lines that are followed wait for those of other machines; zero: defaultHoldBack.
	holdBack time.Duration
}

// stream is a source while it is read.
type stream struct {
	source  Source
	entries chan Entry
	// err is why the log could not be read to its end; set before entries is closed.
	err  error
	last time.Time
}

// problem is why the log could not be read to its end.
func (st *stream) problem() Problem {
	return Problem{st.source.Machine, st.source.path() + " was not read to its end", st.err}
}

// buffered is how many lines of one log wait in memory.
const buffered = 256

// open begins to read a source. The goroutine ends when ctx does, or when all entries are taken.
func open(ctx context.Context, s Source, o Options) *stream {
	st := &stream{source: s, entries: make(chan Entry, buffered)}
	go func() {
		defer close(st.entries)
		st.err = st.read(ctx, o)
	}()
	return st
}

// read has the log read in the guest and takes its lines.
func (st *stream) read(ctx context.Context, o Options) error {
	s := st.source.session
	if s == nil {
		c := o.command("read "+st.source.path(), o.mode(st.source.begins), o.since(st.source.Clock), st.source.Files)
		c.Sudo = st.source.Sudo
		s = begin(ctx, st.source.Guest, c)
	} else {
		s.tell(append([]string{o.since(st.source.Clock)}, st.source.Files...))
	}
	defer context.AfterFunc(ctx, s.cancel)() // one that Find has begun lives longer
	whole := st.take(ctx, s.lines)
	err := s.end(whole)
	switch timeUp := errors.Is(err, context.DeadlineExceeded); {
	case timeUp && o.Follow: // as long as was wanted
		return nil
	case timeUp:
		return fmt.Errorf("%v were not enough; --timeout gives it more", o.Timeout)
	}
	if err == nil && !whole && ctx.Err() == nil {
		err = errors.New("the guest stopped before the end of the log")
	}
	return err
}

// session is a running step that reads logs. The guest keeps it open until every line is here: a step's output is not waited for once
// its program has ended.
type session struct {
	out     *io.PipeReader
	lines   *logline.Reader
	told    *io.PipeWriter
	done    chan error
	release func() bool
	cancel  context.CancelFunc
}

// begin starts a step. It ends with ctx at the latest; end must be called.
func begin(ctx context.Context, g guest.Runner, c guest.Cmd) *session {
	ctx, cancel := context.WithCancel(ctx)
	stdin, told := io.Pipe()
	out, stdout := io.Pipe()
	s := &session{out: out, lines: logline.NewReader(out, logline.MaxLine+3), told: told, done: make(chan error, 1), cancel: cancel}
	s.release = context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()); _ = told.Close() })
	c.Stdin, c.Stdout = stdin, stdout
	go func() {
		res, err := g.Run(ctx, c)
		_ = stdout.Close()
		_ = stdin.Close() // nobody reads what is still told
		s.done <- explain(err, res)
	}()
	return s
}

// tell gives the guest lines and a dot.
func (s *session) tell(lines []string) {
	_, _ = io.WriteString(s.told, strings.Join(lines, "\n")+"\n.\n") // an end is seen by who reads
}

// end ends the step: by itself where it has done its work, else by force.
func (s *session) end(whole bool) error {
	_ = s.told.Close()
	_ = s.out.CloseWithError(io.ErrClosedPipe) // a guest that goes on must not wait for a reader
	if !whole {
		late := time.AfterFunc(endPatience, s.cancel)
		defer late.Stop()
	}
	err := <-s.done
	s.release()
	s.cancel()
	return err
}

// endPatience is how long a step that has stopped talking may take to end by itself, which tells why.
const endPatience = 5 * time.Second

// mode is what the script is to do.
func (o Options) mode(begins bool) string {
	switch {
	case begins:
		return "begin"
	case o.Follow:
		return "follow"
	}
	return "read"
}

// command is a step that finds (since ?) or reads.
func (o Options) command(name, mode, since string, files []string) guest.Cmd {
	argv := []string{"sh", "-c", readScript, "read-logs", mode, strconv.Itoa(int(o.Filter.Level)), o.Filter.Type, o.Filter.RequestID, o.Filter.Grep, since}
	return guest.Cmd{Name: name, Argv: append(argv, files...), Timeout: o.Timeout, Limit: 4096}
}

// since is the beginning by the guest's clock, as the script wants it.
func (o Options) since(c Clock) string {
	if o.Filter.Since.IsZero() {
		return "0"
	}
	return strconv.FormatFloat(float64(o.Filter.Since.Add(c.Skew).UnixMilli())/1000, 'f', 3, 64)
}

// ErrExpression means that the guest's grep refuses the expression of a filter.
var ErrExpression = errors.New("the guest's grep does not take this expression")

// explain adds what the guest's programs printed. Of a lost link only that counts: a step that reads may be made again.
func explain(err error, res guest.Result) error {
	said := string(bytes.TrimSpace(res.Stderr))
	var exit *guest.ExitError
	switch {
	case err == nil && said != "":
		return fmt.Errorf("the guest says: %.500s", said)
	case errors.As(err, &exit) && exit.Code == 3:
		return errors.New(said)
	case errors.As(err, &exit) && exit.Code == 4:
		return fmt.Errorf("%w: %s", ErrExpression, said)
	case errors.Is(err, guest.ErrLinkLost):
		return guest.ErrLinkLost
	}
	return err
}

// take turns the guest's output into entries. It says whether the end was seen.
func (st *stream) take(ctx context.Context, r *logline.Reader) (whole bool) {
	for {
		line, cut, err := r.Next()
		line = logline.TrimEnd(line)
		if err != nil || len(line) > 0 && line[0] == 'E' {
			return err == nil
		}
		if len(line) == 0 {
			continue
		}
		e := st.entry(line)
		e.Cut = cut
		select {
		case st.entries <- e:
		case <-ctx.Done():
			return false
		}
	}
}

// entry is one line of the output. Whether it is a record is looked at again: the guest is not trusted with that.
func (st *stream) entry(tagged []byte) Entry {
	e := Entry{Machine: st.source.Machine, File: st.source.path(), At: st.last, Text: bytes.Clone(tagged[1:]), Continues: true}
	var l logline.Line
	if tagged[0] != 'R' || l.Parse(e.Text) != nil {
		return e
	}
	at, ok := l.Time()
	if !ok {
		return e
	}
	if st.source.Clock.Known() {
		at = at.Add(-st.source.Clock.Skew)
	}
	if at.After(st.last) {
		st.last = at
	}
	e.At, e.Continues = st.last, false
	return e
}
