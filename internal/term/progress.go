package term

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
)

// maxStatusLines is how many machines are shown at once; the others are counted.
const maxStatusLines = 4

// Progress shows what is happening now, one line per machine, on Err and only when that is a terminal. The
// lines are redrawn only when they changed and are taken away before anything else is printed.
type Progress struct {
	s       *Streams
	visible bool

	mu     sync.Mutex
	order  []string
	what   map[string]string
	drawn  []string
	paused int
	closed bool
}

// NewProgress starts a display. Close ends it. Only one is alive at a time.
func (s *Streams) NewProgress() *Progress {
	p := &Progress{s: s, visible: s.ErrTTY && s.getenv("TERM") != "dumb" && s.CI == NoCI, what: map[string]string{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = p
	return p
}

// Visible tells whether anything is shown at all.
func (p *Progress) Visible() bool { return p.visible }

// Set says what is happening on a machine. An empty text takes its line away. Text must be free of control
// characters; a line that is too long for the screen is cut.
func (p *Progress) Set(machine, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.what[machine] == what {
		return
	}
	if !slices.Contains(p.order, machine) {
		p.order = append(p.order, machine)
	}
	p.what[machine] = what
	p.redraw()
}

// Current is what happens now, "web: probing", machines in the order in which they began; empty when nothing does.
func (p *Progress) Current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.active(), "; ")
}

// Close takes the display away for good.
func (p *Progress) Close() {
	p.s.mu.Lock()
	if p.s.progress == p {
		p.s.progress = nil
	}
	p.s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.closed = true
}

// Transfer returns a function to be told how many of total bytes are over; it draws a bar as that machine's
// line. A total below 1 is not known, and bytes are counted without a bar. The bar is text in the same
// display, so several transfers at once do not overwrite each other.
func (p *Progress) Transfer(machine, name string) func(done, total int64) {
	t := &transfer{name: name}
	return func(done, total int64) {
		if line := t.line(max(done, 0), total); line != "" {
			p.Set(machine, line)
		}
	}
}

// transfer draws one bar into a buffer.
type transfer struct {
	name string

	mu    sync.Mutex
	buf   bytes.Buffer
	bar   *progressbar.ProgressBar
	total int64
}

// line is what to show now; empty when nothing new is worth a redraw.
func (t *transfer) line(done, total int64) string {
	if total < 1 {
		return fmt.Sprintf("%s: %d MiB", t.name, done>>20)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bar == nil || t.total != total || (t.bar.IsFinished() && done < total) {
		t.total = total
		t.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(&t.buf), progressbar.OptionSetDescription(t.name),
			progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetTheme(progressbar.ThemeASCII), progressbar.OptionThrottle(100*time.Millisecond))
	}
	t.buf.Reset()
	if done == 0 {
		_ = t.bar.RenderBlank() // setting 0 would draw nothing
	} else {
		_ = t.bar.Set64(min(done, total)) // writes to the buffer, which cannot fail
	}
	return lastLine(t.buf.String())
}

// lastLine is what a bar drew last: it starts every drawing with a carriage return.
func lastLine(s string) string {
	s = strings.TrimRight(s, " \r\n")
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\r')+1:])
}

// suspend runs write with the display taken away, then draws it again.
func (p *Progress) suspend(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	write()
	p.redraw()
}

// pauseProgress hides a display until the returned function is called.
func (s *Streams) pauseProgress() (resume func()) {
	s.mu.Lock()
	p := s.progress
	s.mu.Unlock()
	if p == nil {
		return func() {}
	}
	p.pause(1)
	return func() { p.pause(-1) }
}

func (p *Progress) pause(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.paused += by
	p.redraw()
}

func (p *Progress) active() []string {
	var lines []string
	for _, m := range p.order {
		if p.what[m] != "" {
			lines = append(lines, m+": "+p.what[m])
		}
	}
	return lines
}

// lines are what should be on the screen, cut to its width.
func (p *Progress) lines() []string {
	lines := p.active()
	if len(lines) > maxStatusLines {
		rest := len(lines) - maxStatusLines + 1
		lines = append(lines[:maxStatusLines-1], fmt.Sprintf("and %d more", rest))
	}
	for i := range lines {
		lines[i] = cut(lines[i], p.s.ErrWidth-1)
	}
	return lines
}

func (p *Progress) redraw() {
	if !p.visible || p.paused > 0 || p.closed {
		return
	}
	lines := p.lines()
	if slices.Equal(lines, p.drawn) {
		return
	}
	p.erase()
	for i, l := range lines {
		lines[i] = p.s.ErrPalette.Dim(l)
	}
	_, _ = io.WriteString(p.s.Err, strings.Join(lines, "\n"))
	p.drawn = p.lines()
}

// erase moves to the first status line and clears every one of them.
func (p *Progress) erase() {
	if len(p.drawn) == 0 {
		return
	}
	_, _ = io.WriteString(p.s.Err, "\r\x1b[2K"+strings.Repeat("\x1b[1A\x1b[2K", len(p.drawn)-1))
	p.drawn = nil
}

// cut shortens s to width columns, counting one per rune.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:max(width-3, 0)]) + "..."
}
