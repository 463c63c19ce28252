package sshguest

import (
	"bytes"
	"io"
	"sync"
)

// noiseLimit is how much of what was printed before the ready mark is kept to explain a failure.
const noiseLimit = 16 << 10

// gate drops everything up to a line that begins with the ready mark and passes the rest on: login shells
// print banners, and sudo prints lectures, on the same streams as the step.
type gate struct {
	next io.Writer
	mark []byte
	// watch is looked for while the gate is shut (sudo's prompt); seen is called for each occurrence.
	watch []byte
	seen  func()
	// opened is called once, with the rest of the mark's line (a process id).
	opened func(rest string)

	mu    sync.Mutex
	open  bool
	noise []byte
	// from is where in noise the search for watch goes on.
	from int
}

// Write never fails while the gate is shut.
func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return g.next.Write(p)
	}
	g.noise = append(g.noise, p...)
	if rest, after, ok := g.find(); ok {
		g.open = true
		if g.opened != nil {
			g.opened(rest)
		}
		_, err := g.next.Write(after)
		return len(p), err
	}
	g.look()
	g.forget()
	return len(p), nil
}

// find splits noise at the mark's line.
func (g *gate) find() (rest string, after []byte, ok bool) {
	i := bytes.Index(g.noise, g.mark)
	if i < 0 {
		return "", nil, false
	}
	line, after, ok := bytes.Cut(g.noise[i+len(g.mark):], []byte("\n"))
	if !ok {
		return "", nil, false
	}
	rest = string(bytes.TrimSpace(line))
	g.noise = g.noise[:i:i]
	return rest, after, true
}

func (g *gate) look() {
	if len(g.watch) == 0 || g.seen == nil {
		return
	}
	for {
		i := bytes.Index(g.noise[g.from:], g.watch)
		if i < 0 {
			g.from = max(g.from, len(g.noise)-len(g.watch)+1)
			return
		}
		g.from += i + len(g.watch)
		g.seen()
	}
}

// forget keeps the last noiseLimit bytes, except that a mark whose line is not complete yet is never cut.
func (g *gate) forget() {
	cut := len(g.noise) - noiseLimit
	if cut <= 0 {
		return
	}
	if i := bytes.Index(g.noise, g.mark); i >= 0 && i < cut {
		// A mark without the end of its line within noiseLimit is not ours.
		cut = i + len(g.mark)
	}
	g.noise = append([]byte(nil), g.noise[cut:]...)
	g.from = max(g.from-cut, 0)
}

// before is what was printed ahead of the mark, bounded.
func (g *gate) before() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.noise)
}

func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// locked runs f while nothing can pass the gate.
func (g *gate) locked(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// sink keeps the first limit bytes of a stream and copies all of it to tee. Once sealed it takes nothing
// more, so that a Result does not change under its owner when a daemon goes on writing.
type sink struct {
	limit int
	tee   io.Writer

	mu        sync.Mutex
	buf       bytes.Buffer
	truncated bool
	sealed    bool
}

// Write never fails: a tee that fails is dropped, so that a full disk cannot block the guest.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return len(p), nil
	}
	if s.tee != nil && len(p) > 0 {
		if _, err := s.tee.Write(p); err != nil {
			s.tee = nil
		}
	}
	keep := min(len(p), s.limit-s.buf.Len())
	s.buf.Write(p[:keep])
	s.truncated = s.truncated || keep < len(p)
	return len(p), nil
}

func (s *sink) seal() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	return s.buf.Bytes(), s.truncated
}

// lineFilter drops lines that begin with prefix and passes everything else on at once.
type lineFilter struct {
	next   io.Writer
	prefix []byte

	held     []byte // the start of a line that may still become the prefix
	dropping bool
	midLine  bool
}

// Write passes p on without the unwanted lines.
func (f *lineFilter) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+len(f.held))
	for _, b := range p {
		out = f.step(out, b)
	}
	if len(out) > 0 {
		if _, err := f.next.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (f *lineFilter) step(out []byte, b byte) []byte {
	switch {
	case f.dropping:
		f.dropping = b != '\n'
	case f.midLine:
		out = append(out, b)
		f.midLine = b != '\n'
	case f.prefix[len(f.held)] == b:
		if f.held = append(f.held, b); len(f.held) == len(f.prefix) {
			f.held, f.dropping = f.held[:0], true
		}
	default:
		out = append(append(out, f.held...), b)
		f.held, f.midLine = f.held[:0], b != '\n'
	}
	return out
}

// flush passes on a beginning that never became the prefix.
func (f *lineFilter) flush() {
	if len(f.held) > 0 {
		_, _ = f.next.Write(f.held)
		f.held = nil
	}
}
