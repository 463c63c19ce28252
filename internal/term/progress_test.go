package term

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// onTerminal returns streams whose Err is a terminal, and what was written to it.
func onTerminal() (*Streams, *bytes.Buffer) {
	s, _, err := Test("")
	s.ErrTTY = true
	return s, err
}

// screen interprets the few sequences that progress uses, so that tests see what a person sees.
func screen(written string) []string {
	lines, row := []string{""}, 0
	for i := 0; i < len(written); i++ {
		switch rest := written[i:]; {
		case strings.HasPrefix(rest, "\x1b[2K"):
			lines[row] = ""
			i += 3
		case strings.HasPrefix(rest, "\x1b[1A"):
			row--
			i += 3
		case rest[0] == '\r':
		case rest[0] == '\n':
			if row++; row == len(lines) {
				lines = append(lines, "")
			}
		default:
			lines[row] += rest[:1]
		}
	}
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func TestProgress(t *testing.T) {
	s, w := onTerminal()
	p := s.NewProgress()
	p.Set("web", "connecting")
	p.Set("db", "connecting")
	p.Set("web", "examining")
	if got, want := strings.Join(screen(w.String()), "|"), "web: examining|db: connecting"; got != want {
		t.Errorf("screen %q, want %q", got, want)
	}
	if got, want := p.Current(), "web: examining; db: connecting"; got != want {
		t.Errorf("Current %q, want %q", got, want)
	}
	s.Errln("a line for good")
	if got, want := strings.Join(screen(w.String()), "|"), "a line for good|web: examining|db: connecting"; got != want {
		t.Errorf("screen %q, want %q", got, want)
	}
	p.Set("web", "")
	p.Close()
	if got, want := strings.Join(screen(w.String()), "|"), "a line for good"; got != want {
		t.Errorf("after Close: screen %q, want %q", got, want)
	}
	n := w.Len()
	p.Set("web", "late")
	if w.Len() != n {
		t.Errorf("written after Close: %q", w.String()[n:])
	}
}

func TestProgressRedrawsOnlyChanges(t *testing.T) {
	s, w := onTerminal()
	p := s.NewProgress()
	p.Set("web", "examining")
	n := w.Len()
	p.Set("web", "examining")
	if w.Len() != n {
		t.Errorf("redrawn without a change: %q", w.String()[n:])
	}
}

func TestProgressFitsTheScreen(t *testing.T) {
	s, w := onTerminal()
	p := s.NewProgress()
	for i := range 6 {
		p.Set(fmt.Sprintf("m%d", i), strings.Repeat("ä", 200))
	}
	lines := screen(w.String())
	if len(lines) != maxStatusLines || !strings.Contains(lines[maxStatusLines-1], "and 3 more") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for _, l := range lines {
		if n := len([]rune(l)); n >= s.ErrWidth {
			t.Errorf("a line of %d columns on a screen of %d would wrap", n, s.ErrWidth)
		}
	}
}

func TestProgressOnlyOnATerminal(t *testing.T) {
	for name, prepare := range map[string]func(*Streams){
		"a pipe":          func(s *Streams) { s.ErrTTY = false },
		"a dumb terminal": func(s *Streams) { s.getenv = env("TERM", "dumb") },
	} {
		s, w := onTerminal()
		prepare(s)
		p := s.NewProgress()
		p.Set("web", "examining")
		p.Transfer("web", "uploading")(1, 2)
		p.Close()
		if w.Len() != 0 {
			t.Errorf("%s: %q was written", name, w)
		}
	}
}

// A question stands alone on the screen; progress comes back after the answer.
func TestProgressPausesForQuestions(t *testing.T) {
	s, w := asking(strings.NewReader("y\n"))
	p := s.NewProgress()
	p.Set("web", "examining")
	done, err := s.ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Set("web", "still examining")
	if got := strings.Join(screen(w.String()), "|"); got != "" {
		t.Errorf("during the question: %q", got)
	}
	done()
	if got := strings.Join(screen(w.String()), "|"); got != "web: still examining" {
		t.Errorf("after the question: %q", got)
	}
}

func TestTransfer(t *testing.T) {
	s, w := onTerminal()
	p := s.NewProgress()
	step := p.Transfer("web", "uploading")
	step(0, 50<<20)
	step(50<<20, 50<<20)
	got := strings.Join(screen(w.String()), "|")
	if !strings.HasPrefix(got, "web: uploading 100% [") || !strings.Contains(got, "50/50 MiB") {
		t.Errorf("bar %q", got)
	}
	step(0, 50<<20) // a second file: the bar starts again
	if got := strings.Join(screen(w.String()), "|"); !strings.HasPrefix(got, "web: uploading   0%") {
		t.Errorf("second bar %q", got)
	}
	p.Transfer("db", "fetching")(3<<20, -1)
	if got := p.Current(); !strings.HasSuffix(got, "db: fetching: 3 MiB") {
		t.Errorf("without a total: %q", got)
	}
}

func TestProgressConcurrently(t *testing.T) {
	s, _ := onTerminal()
	p := s.NewProgress()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			up := p.Transfer(fmt.Sprint(i), "up")
			for n := range 50 {
				p.Set(fmt.Sprint(i), fmt.Sprint(n))
				up(int64(n), 50)
				s.Errln("line")
				_ = p.Current()
			}
		})
	}
	wg.Wait()
	p.Close()
}
