package passthru

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sh(t *testing.T, script string) (Program, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this system")
	}
	var out, errs bytes.Buffer
	return Program{Path: path, Args: []string{"-c", script}, In: strings.NewReader("typed\n"), Out: &out, Err: &errs}, &out, &errs
}

func TestRun(t *testing.T) {
	p, out, errs := sh(t, `read x; printf '\033[31m%s\033[0m\r\n' "$x"; echo oops >&2; exit 7`)
	r, err := Run(t.Context(), p)
	if err != nil || r.Code != 7 || !r.Heard {
		t.Fatalf("%+v, %v", r, err)
	}
	if out.String() != "\x1b[31mtyped\x1b[0m\r\n" || errs.String() != "oops\n" {
		t.Errorf("changed on its way: %q, %q", out, errs)
	}
	if !strings.Contains(r.Said, "typed") || !strings.Contains(r.Said, "oops") {
		t.Errorf("kept: %q", r.Said)
	}
}

func TestSignalBecomesAStatus(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("signals of POSIX")
	}
	p, _, _ := sh(t, `kill -TERM $$`)
	if r, err := Run(t.Context(), p); err != nil || r.Code != 143 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	if _, err := Run(t.Context(), Program{Path: "/no/such/program"}); err == nil {
		t.Error("no error")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var b tail
	for range 40 {
		_, _ = b.Write(bytes.Repeat([]byte("x"), keep/16))
	}
	_, _ = b.Write([]byte("the end"))
	if s := b.String(); len(s) != keep || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes, ends in %q", len(s), s[len(s)-7:])
	}
}
