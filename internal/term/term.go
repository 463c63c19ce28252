// Package term is the only way to the screen: streams, terminal detection, width, colour, prompts and
// progress. Nothing else of boxdoctor touches os.Stdin, os.Stdout or os.Stderr, so tests get buffers.
package term

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/fatih/color"
	xterm "golang.org/x/term"
)

// Widths of the text that boxdoctor lays out, in columns.
const (
	// DefaultWidth is used where there is no terminal to ask.
	DefaultWidth = 100
	minWidth     = 40
	// maxWidth keeps lines readable on very wide terminals.
	maxWidth = 120
)

// Streams are the three streams of a process and what is known of them. Out carries the report and nothing
// else; everything for the person beside it (progress, prompts, hints) goes to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTTY, OutTTY and ErrTTY tell which of them is a terminal.
	InTTY, OutTTY, ErrTTY bool
	// Width is the number of columns for text on Out, between 40 and 120. ErrWidth is the real width of Err: what
	// is drawn over must not wrap, and Out may be a pipe while Err is a narrow terminal.
	Width, ErrWidth int
	// OutPalette and ErrPalette colour what goes to Out and Err.
	OutPalette, ErrPalette Palette
	// CI is the continuous integration system around, if any: it is asked nothing and shown no progress.
	CI CI
	// ASCII asks for output without characters beyond ASCII.
	ASCII bool

	getenv func(string) string
	// readSecret reads one line without echo; nil where In is not a terminal.
	readSecret func() ([]byte, error)
	// restore puts the terminal back after an interrupted readSecret.
	restore  func()
	progress *Progress
	asking   chan struct{} // holds one token: one question at a time
	lines    lineReader
	mu       sync.Mutex // guards writes to Err
}

// System returns the streams of this process. getenv is where NO_COLOR, TERM, LANG, COLUMNS … are read.
func System(getenv func(string) string) *Streams {
	s := newStreams(os.Stdin, color.Output, color.Error, getenv)
	in, out := int(os.Stdin.Fd()), int(os.Stdout.Fd())
	s.InTTY, s.OutTTY = xterm.IsTerminal(in), xterm.IsTerminal(out)
	s.ErrTTY = xterm.IsTerminal(int(os.Stderr.Fd()))
	s.Width = clampWidth(systemWidth(out, getenv("COLUMNS")))
	s.ErrWidth = max(systemWidth(int(os.Stderr.Fd()), getenv("COLUMNS")), 1)
	s.ASCII, s.CI = !utf8Locale(runtime.GOOS, getenv), DetectCI(getenv)
	if s.InTTY {
		s.readSecret = func() ([]byte, error) { return xterm.ReadPassword(in) }
		s.restore = restorer(in)
	}
	_ = s.SetColor(ColorAuto)
	return s
}

// Test returns streams over buffers for tests: no terminal, 80 columns, no colour, an empty environment.
func Test(in string) (s *Streams, out, err *bytes.Buffer) {
	out, err = new(bytes.Buffer), new(bytes.Buffer)
	s = newStreams(strings.NewReader(in), out, err, func(string) string { return "" })
	s.Width, s.ErrWidth = 80, 80
	return s, out, err
}

func newStreams(in io.Reader, out, err io.Writer, getenv func(string) string) *Streams {
	s := &Streams{In: in, Out: out, Err: err, getenv: getenv, Width: DefaultWidth, ErrWidth: DefaultWidth, asking: make(chan struct{}, 1)}
	s.lines.r = in
	return s
}

// Errln writes one line to Err. A progress display is taken away first and comes back below it.
func (s *Streams) Errln(line string) {
	s.Mark(s.CI.Plain(line))
}

// Mark writes a line to Err as it is, even where it commands the CI system.
func (s *Streams) Mark(line string) {
	s.suspended(func() { _, _ = io.WriteString(s.Err, line+"\n") })
}

// suspended runs write while no progress is on the screen.
func (s *Streams) suspended(write func()) {
	s.mu.Lock()
	p := s.progress
	s.mu.Unlock()
	if p == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		write()
		return
	}
	p.suspend(write)
}

func restorer(fd int) func() {
	state, err := xterm.GetState(fd)
	if err != nil {
		return func() {}
	}
	return func() { _ = xterm.Restore(fd, state) }
}

func systemWidth(fd int, columns string) int {
	if w, _, err := xterm.GetSize(fd); err == nil && w > 0 {
		return w
	}
	if w, err := strconv.Atoi(columns); err == nil && w > 0 {
		return w
	}
	return DefaultWidth
}

func clampWidth(w int) int { return min(max(w, minWidth), maxWidth) }

// utf8Locale tells whether the person's locale can show more than ASCII. No locale set at all means the C
// locale, except on systems where terminals are UTF-8 whatever the variables say.
func utf8Locale(goos string, getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return goos == "darwin"
}
