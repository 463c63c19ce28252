package term

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

func TestWantColor(t *testing.T) {
	for _, c := range []struct {
		name string
		mode ColorMode
		tty  bool
		env  []string
		want bool
	}{
		{"a terminal", ColorAuto, true, nil, true},
		{"a pipe", ColorAuto, false, nil, false},
		{"always beats the pipe and NO_COLOR", ColorAlways, false, []string{"NO_COLOR", "1"}, true},
		{"never beats the terminal and FORCE_COLOR", ColorNever, true, []string{"FORCE_COLOR", "1"}, false},
		{"NO_COLOR", ColorAuto, true, []string{"NO_COLOR", "1"}, false},
		{"an empty NO_COLOR says nothing", ColorAuto, true, []string{"NO_COLOR", ""}, true},
		{"NO_COLOR beats FORCE_COLOR", ColorAuto, true, []string{"NO_COLOR", "1", "FORCE_COLOR", "1"}, false},
		{"CLICOLOR_FORCE", ColorAuto, false, []string{"CLICOLOR_FORCE", "1"}, true},
		{"CLICOLOR_FORCE=0 forces nothing", ColorAuto, false, []string{"CLICOLOR_FORCE", "0"}, false},
		{"FORCE_COLOR", ColorAuto, false, []string{"FORCE_COLOR", "1"}, true},
		{"TERM=dumb", ColorAuto, true, []string{"TERM", "dumb"}, false},
		{"FORCE_COLOR beats TERM=dumb", ColorAuto, true, []string{"TERM", "dumb", "FORCE_COLOR", "1"}, true},
		{"CLICOLOR=0", ColorAuto, true, []string{"CLICOLOR", "0"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wantColor(c.mode, c.tty, env(c.env...)); got != c.want {
				t.Errorf("wantColor = %v, want %v", got, c.want)
			}
		})
	}
}

// Each stream has a colour of its own: a report in a pipe is plain while progress on the terminal is not.
func TestPaletteIsPerStream(t *testing.T) {
	s, _, _ := Test("")
	s.ErrTTY = true
	if err := s.SetColor(ColorAuto); err != nil {
		t.Fatal(err)
	}
	if got := s.OutPalette.Bad("FAIL"); got != "FAIL" {
		t.Errorf("Out: %q is coloured", got)
	}
	if got := s.ErrPalette.Bad("FAIL"); !strings.Contains(got, "\x1b[") || !strings.Contains(got, "FAIL") {
		t.Errorf("Err: %q is not coloured", got)
	}
}

func TestPalette(t *testing.T) {
	on, off, zero := NewPalette(true), NewPalette(false), Palette{}
	for name, paint := range map[string]func(Palette) func(string) string{
		"good": func(p Palette) func(string) string { return p.Good }, "bad": func(p Palette) func(string) string { return p.Bad },
		"warn": func(p Palette) func(string) string { return p.Warn }, "dim": func(p Palette) func(string) string { return p.Dim },
		"strong":  func(p Palette) func(string) string { return p.Strong },
		"command": func(p Palette) func(string) string { return p.Command },
	} {
		if got := paint(on)("word"); !strings.HasPrefix(got, "\x1b[") || !strings.HasSuffix(got, "m") || !strings.Contains(got, "word") {
			t.Errorf("%s: enabled %q", name, got)
		}
		for _, p := range []Palette{off, zero} {
			if got := paint(p)("word"); got != "word" {
				t.Errorf("%s: disabled %q", name, got)
			}
		}
		if got := paint(on)(""); got != "" {
			t.Errorf("%s: nothing became %q", name, got)
		}
	}
}

func TestSetColorUnknown(t *testing.T) {
	s, _, _ := Test("")
	err := s.SetColor("sometimes")
	if err == nil || !strings.Contains(err.Error(), "auto, always, never") {
		t.Errorf("SetColor(sometimes) = %v", err)
	}
}

func TestUTF8Locale(t *testing.T) {
	for _, c := range []struct {
		goos string
		env  []string
		want bool
	}{
		{"linux", []string{"LANG", "en_GB.UTF-8"}, true},
		{"linux", []string{"LANG", "C.utf8"}, true},
		{"linux", []string{"LANG", "en_GB.UTF-8", "LC_ALL", "C"}, false},
		{"linux", []string{"LANG", "C", "LC_CTYPE", "de_DE.UTF-8"}, true},
		{"linux", nil, false},
		{"darwin", nil, true},
		{"windows", nil, false},
	} {
		if got := utf8Locale(c.goos, env(c.env...)); got != c.want {
			t.Errorf("utf8Locale(%s, %v) = %v", c.goos, c.env, got)
		}
	}
}

func TestWidths(t *testing.T) {
	for in, want := range map[int]int{0: 40, 39: 40, 80: 80, 121: 120, 9999: 120} {
		if got := clampWidth(in); got != want {
			t.Errorf("clampWidth(%d) = %d, want %d", in, got, want)
		}
	}
	for columns, want := range map[string]int{"": DefaultWidth, "77": 77, "wide": DefaultWidth, "-3": DefaultWidth} {
		if got := systemWidth(-1, columns); got != want {
			t.Errorf("systemWidth(COLUMNS=%q) = %d, want %d", columns, got, want)
		}
	}
}

// asking returns streams on which questions are answered by in.
func asking(in io.Reader) (*Streams, *bytes.Buffer) {
	s, out, err := Test("")
	_ = out
	s.InTTY, s.ErrTTY, s.In, s.lines.r = true, true, in, in
	return s, err
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		in      string
		want    bool
		asked   int
		wantErr bool
	}{
		{"y\n", true, 1, false}, {"YES\n", true, 1, false}, {" yes \r\n", true, 1, false}, {"y", true, 1, false},
		{"n\n", false, 1, false}, {"\n", false, 1, false}, {"no\n", false, 1, false},
		{"maybe\ny\n", true, 2, false},
		{"a\nb\nc\ny\n", false, 3, false}, // the fourth answer is never asked for
		{"", false, 1, true},
	} {
		s, screen := asking(strings.NewReader(c.in))
		got, err := s.Confirm(t.Context(), "Change this?")
		if got != c.want || (err != nil) != c.wantErr {
			t.Errorf("Confirm with %q = %v, %v", c.in, got, err)
		}
		if n := strings.Count(screen.String(), "Change this? [y/N] "); n != c.asked {
			t.Errorf("with %q asked %d times, want %d", c.in, n, c.asked)
		}
	}
}

// Two questions take two lines of one input: nothing that was typed ahead is lost.
func TestConfirmTwice(t *testing.T) {
	s, _ := asking(strings.NewReader("y\nn\n"))
	for i, want := range []bool{true, false} {
		if got, err := s.Confirm(t.Context(), "?"); got != want || err != nil {
			t.Errorf("answer %d = %v, %v", i, got, err)
		}
	}
}

func TestNobodyToAsk(t *testing.T) {
	s, _, screen := Test("y\n")
	if _, err := s.Confirm(t.Context(), "?"); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("Confirm: %v", err)
	}
	if _, err := s.Secret(t.Context(), "Password: "); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("Secret: %v", err)
	}
	if screen.Len() != 0 {
		t.Errorf("%q was written", screen)
	}
}

func TestSecret(t *testing.T) {
	s, screen := asking(strings.NewReader(""))
	s.readSecret = func() ([]byte, error) { return []byte("hunter2"), nil }
	got, err := s.Secret(t.Context(), "Password of web: ")
	if got != "hunter2" || err != nil {
		t.Errorf("Secret = %q, %v", got, err)
	}
	if screen.String() != "Password of web: \n" {
		t.Errorf("screen: %q", screen)
	}
}

func TestSecretErrorNeverHoldsWhatWasTyped(t *testing.T) {
	s, _ := asking(strings.NewReader(""))
	s.readSecret = func() ([]byte, error) { return []byte("hunter2"), io.ErrUnexpectedEOF }
	got, err := s.Secret(t.Context(), "Password: ")
	if got != "" || !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Secret = %q, %v", got, err)
	}
}

// Ctrl-C while a question waits: it returns at once, and the terminal gets its echo back.
func TestCancelledQuestions(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		in, typist := io.Pipe()
		defer func() { _ = typist.Close() }()
		s, _ := asking(in)
		restored := 0
		s.restore = func() { restored++ }
		s.readSecret = func() ([]byte, error) { _, err := in.Read(make([]byte, 1)); return nil, err }
		for name, ask := range map[string]func(context.Context) error{
			"confirm": func(ctx context.Context) error { _, err := s.Confirm(ctx, "?"); return err },
			"secret":  func(ctx context.Context) error { _, err := s.Secret(ctx, "?"); return err },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if err := ask(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if restored != 1 {
			t.Errorf("the terminal was restored %d times, want once", restored)
		}
	})
}

// Several machines ask at once: one question after the other, and a waiting one can be given up.
func TestQuestionsTakeTurns(t *testing.T) {
	s, screen := asking(strings.NewReader(strings.Repeat("y\n", 8)))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if ok, err := s.Confirm(t.Context(), "Q"); !ok || err != nil {
				t.Errorf("Confirm = %v, %v", ok, err)
			}
		})
	}
	wg.Wait()
	if got := screen.String(); got != strings.Repeat("Q [y/N] ", 8) {
		t.Errorf("screen: %q", got)
	}
	s.asking <- struct{}{} // somebody is being asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Confirm(ctx, "Q"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a turn: %v", err)
	}
}
