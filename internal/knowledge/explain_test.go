package knowledge

import (
	"bytes"
	"context"
	"errors"
	"html"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// eachLine makes a text of what a function makes of each line.
func eachLine(f func(string) string) func(string) string {
	return func(text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			b.WriteString(f(strings.TrimRight(line, "\r\n")) + "\n")
		}
		return b.String()
	}
}

// wrapped breaks lines at a column, in the middle of words.
func wrapped(width int) func(string) string {
	return eachLine(func(line string) string {
		runes, out := []rune(line), ""
		for len(runes) > width {
			out, runes = out+string(runes[:width])+"\n", runes[width:]
		}
		return out + string(runes)
	})
}

// folded breaks lines at blanks, as mail programs do.
func foldedAt(width int) func(string) string {
	return eachLine(func(line string) string {
		out := ""
		for len(line) > width {
			at := strings.LastIndexByte(line[:width], ' ')
			if at <= 0 {
				break
			}
			out, line = out+line[:at]+"\n", line[at+1:]
		}
		return out + line
	})
}

func utf16LE(text string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// disguises are what happens to a text on its way from a screen into a report.
var disguises = map[string]func(string) string{
	"vagrant":       eachLine(func(l string) string { return "==> default: " + l }),
	"vagrant, more": eachLine(func(l string) string { return "    default: " + l }),
	"old vagrant":   eachLine(func(l string) string { return "[default] " + l }),
	"Windows":       eachLine(func(l string) string { return l + "\r" }),
	"colour":        eachLine(func(l string) string { return "\x1b[0;31m" + l + "\x1b[0m" }),
	"quoted":        eachLine(func(l string) string { return "> " + l }),
	"syslog":        eachLine(func(l string) string { return "Nov 22 10:00:00 box vboxadd[812]: " + l }),
	"ISO":           eachLine(func(l string) string { return "2026-11-22T10:00:00.123Z " + l }),
	"indented":      eachLine(func(l string) string { return "    " + l }),
	"progress":      eachLine(func(l string) string { return "Progress: 10%\rProgress: 90%\r" + l }),
	"HTML":          html.EscapeString,
	"fenced":        func(text string) string { return "```text\n" + text + "```\n" },
	"UTF-16":        utf16LE,
	"wrapped":       wrapped(80),
	"wrapped, wide": wrapped(120),
	"mail":          foldedAt(76),
	"in the middle": func(text string) string {
		return string(logOf(ordinary, 20<<10)) + text + string(logOf(ordinary, 20<<10))
	},
	"vagrant, wrapped": func(text string) string {
		return wrapped(80)(eachLine(func(l string) string { return "==> default: " + l })(text))
	},
}

// A text means the same whatever way it took.
func TestDisguisesDoNotMatter(t *testing.T) {
	for _, path := range slices.Concat(textFiles(t, "samples"), textFiles(t, "more")) {
		text := sample(t, path)
		want, _, _ := Classify(text)
		for name, disguise := range disguises {
			if got, _, _ := Classify(disguise(text)); got.ID != want.ID {
				t.Errorf("%s, %s: %q, want %q", path, name, got.ID, want.ID)
			}
		}
	}
}

// How a text arrives does not matter either.
func TestPiecesDoNotMatter(t *testing.T) {
	for _, path := range slices.Concat(textFiles(t, "samples"), textFiles(t, "more"), textFiles(t, "healthy")) {
		text := sample(t, path)
		want := explained(t, text)
		for name, r := range map[string]io.Reader{"byte by byte": iotest.OneByteReader(strings.NewReader(text)), "half": iotest.HalfReader(strings.NewReader(text)), "data with error": iotest.DataErrReader(strings.NewReader(text))} {
			got, err := Embedded().Explain(t.Context(), Text{Reader: r})
			if err != nil || summary(got) != summary(want) {
				t.Errorf("%s, %s: %v\n%s\nwant %s", path, name, err, summary(got), summary(want))
			}
		}
	}
}

// summary is an explanation as a line.
func summary(e Explanation) string {
	out := string(e.Verdict)
	for _, m := range e.Matches {
		out += "\n" + strings.Join([]string{m.Signature.ID, string(m.Role), strings.Join(m.Rows, " "), m.Evidence}, "|")
	}
	return out
}

// base is one made of a file of signatures.
func base(t testing.TB, text string) *Base {
	t.Helper()
	b := &Base{}
	if err := b.add("test.yaml", []byte(text), anything); err != nil {
		t.Fatal(err)
	}
	return b
}

const testBase = `
signatures:
  - {id: a.lock, check: locks.lock, rank: 10, match: ['the lock is held'], says: locked, rows: [L1]}
  - {id: a.kernel, check: kernel.missing, rank: 20, match: ['no headers for (?P<kernel>\d\S+)'], says: "none for {kernel}", caused_by: [locks.lock], rows: [K1], run: true,
     advice: ["install headers-{kernel}", "ask {host}", "keep {braces}"]}
  - {id: a.also, check: kernel.missing, rank: 21, match: ['headers are gone'], says: gone, rows: [K2]}
  - {id: a.old, check: ga.old, rank: 30, match: ['does not compile'], says: too old, versions: {ga: ">= 7.2.8, < 7.2.10", kernel: "5.14.0-687.*"}, rows: ["1.7"]}
  - {id: a.two, check: two.parts, rank: 40, match: ['first half'], all: ['second half', 'third half'], within: 5, says: both, rows: [V1]}
  - {id: a.not, check: not.this, rank: 50, match: ['disk is full'], not: ['on the host'], says: full, rows: [S7]}
  - {id: a.far, check: not.near, rank: 55, match: ['memory is full'], not: ['on the host'], within: 2, says: full, rows: [S8]}
  - {id: a.mount, check: mount.failed, role: symptom, match: ['cannot mount it'], says: not mounted, rows: [V2]}
  - {id: a.weak, check: some.thing, rank: 60, confidence: 0.3, match: ['something went wrong'], says: something, rows: [X1]}
harmless: [{match: 'nobody minds this', line: nobody minds this}]
healthy: [{match: 'all is well', line: all is well}]
trouble: {words: [error, not found], not: ['\b0 errors']}
context: [{match: 'Additions (?P<ga>\d+\.\d+\.\d+)', line: Additions 7.2.8}, {match: 'for kernel (?P<kernel>\d\S+)', line: for kernel 5.14.0}]
runs: [{match: 'first step', line: first step}, {match: 'second step', line: second step}]
`

func TestExplain(t *testing.T) {
	b := base(t, testBase)
	for _, c := range []struct{ name, text, verdict, want string }{
		{"nothing", "", "unknown", ""},
		{"unknown", "hello\nworld", "unknown", ""},
		{"healthy", "hello\nall is well", "harmless", ""},
		{"harmless", "nobody minds this error", "harmless", ""},
		{"healthy but in trouble", "all is well\nerror: no", "unknown", ""},
		{"no trouble after all", "all is well\n0 errors, -Wno-error, /error/x, error_code, errors.log", "harmless", ""},
		{"causes before symptoms", "cannot mount it\nthe lock is held", "known", "cause L1 2, symptom V2 1"},
		{"earlier causes first", "no headers for 5.1\ndisk is full\nthe lock is held", "known", "cause L1 3, cause S7 2, symptom K1 1"},
		{"only a symptom", "x\ncannot mount it", "known", "symptom V2 2"},
		{"the same finding", "headers are gone\nno headers for 5.1", "known", "cause K1+K2 2"},
		{"weak alone", "something went wrong", "unknown", ""},
		{"weak beside", "something went wrong\ncannot mount it", "known", "cause X1 1, symptom V2 2"},
		{"versions fit", "Additions 7.2.8 module for kernel 5.14.0-687.10.1.el9_8\ndoes not compile", "known", "cause 1.7 2"},
		{"versions said later", "does not compile\nAdditions 7.2.9\nfor kernel 5.14.0-687.10.1.el9_8", "known", "cause 1.7 1"},
		{"another version", "Additions 7.2.10 module for kernel 5.14.0-687.10.1.el9_8\ndoes not compile", "unknown", ""},
		{"another kernel", "Additions 7.2.8 module for kernel 5.14.0-570.1\ndoes not compile", "unknown", ""},
		{"no version", "does not compile", "unknown", ""},
		{"parts near", "third half\nfirst half\nx\nx\nsecond half", "known", "cause V1 2"},
		{"one part", "first half\nsecond half", "unknown", ""},
		{"parts too far", "third half\nfirst half\nx\nx\nx\nx\nx\nsecond half", "unknown", ""},
		{"excluded", "disk is full on the host", "unknown", ""},
		{"excluded elsewhere", "disk is full\non the host", "known", "cause S7 1"},
		{"excluded nearby", "on the host\nx\nmemory is full", "unknown", ""},
		{"excluded far", "on the host\nx\nx\nmemory is full", "known", "cause S8 4"},
		{"excluded once", "disk is full on the host\n\n\n\n\n\n\n\ndisk is full", "known", "cause S7 9"},
		{"harmless hides nothing", "nobody minds this\ndisk is full\nnobody minds this", "known", "cause S7 2"},
		{"last run", "first step\nno headers for 5.1\nfirst step\nno headers for 6.1", "known", "cause K1 4"},
		{"last run went well", "first step\nno headers for 5.1\nfirst step\nall is well", "harmless", ""},
		{"last run cut off", "first step\nno headers for 5.1\nfirst step", "known", "cause K1 2"},
		{"steps of one run", "first step\nno headers for 5.1\nsecond step\nall is well", "known", "cause K1 2"},
		{"second step again", "second step\nno headers for 5.1\nsecond step\nall is well", "harmless", ""},
		{"run of another machine", "==> a: first step\n==> a: no headers for 5.1\n==> b: first step\n==> b: all is well", "known", "cause K1 2"},
		{"two machines, both runs", "==> a: first step\n==> a: no headers for 5.1\n==> b: first step\n==> b: no headers for 6\n==> b: first step\n==> b: all is well", "known", "cause K1 2"},
		{"folded", "a long line in front of which nothing else stands: there are no \nheaders for 5.1", "known", "cause K1 1"},
		{"broken in a word", strings.Repeat("x", 55) + " there are no headers fo\nr 5.1 at all", "known", "cause K1 1"},
		{"number of the line", "\n\n\r\n> \n==> web: disk is full", "known", "cause S7 5"},
	} {
		e, err := b.Explain(t.Context(), Text{Reader: strings.NewReader(c.text)})
		var got []string
		for _, m := range e.Matches {
			got = append(got, string(m.Role)+" "+strings.Join(m.Rows, "+")+" "+itoa(m.Line))
		}
		if err != nil || string(e.Verdict) != c.verdict || strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v %s %q\nwant %s %q", c.name, err, e.Verdict, got, c.verdict, c.want)
		}
	}
}

func itoa(n int) string { return strings.TrimLeft(number(n), "0") }

func TestWordsAreFilledIn(t *testing.T) {
	b := base(t, testBase)
	for text, want := range map[string]string{
		"no headers for 5.14.0-1.el9": "none for 5.14.0-1.el9|install headers-5.14.0-1.el9|ask HOST|keep {braces}",
		"no headers for 5;rm$(x)":     "none for KERNEL|install headers-KERNEL|ask HOST|keep {braces}",
	} {
		e, err := b.Explain(t.Context(), Text{Reader: strings.NewReader(text)})
		if err != nil || len(e.Matches) != 1 {
			t.Fatalf("%q: %v %+v", text, err, e)
		}
		if got := strings.Join(append([]string{e.Matches[0].Says}, e.Matches[0].Advice...), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSeveralTexts(t *testing.T) {
	b := base(t, testBase)
	e, err := b.Explain(t.Context(), Text{"one.log", strings.NewReader("x\ncannot mount it")}, Text{"two.log", strings.NewReader("x\nx\nthe lock is held")})
	if err != nil || len(e.Matches) != 2 || e.Matches[0].File != "two.log" || e.Matches[0].Line != 3 || e.Matches[1].File != "one.log" || e.Lines != 5 {
		t.Errorf("%v %+v", err, e)
	}
	e, err = b.Explain(t.Context(), Text{"one.log", strings.NewReader("the lock is")}, Text{"two.log", strings.NewReader("held")})
	if err != nil || e.Verdict != Unknown {
		t.Errorf("a message goes on in another file: %v %+v", err, e)
	}
}

func TestEvidence(t *testing.T) {
	b := base(t, testBase)
	for name, c := range map[string]struct{ text, want string }{
		"the line":    {"x\n==> default:   disk is full.\ny", "disk is full."},
		"joined":      {"the lock is \nheld by \nsomebody\nelse", "the lock is held by somebody"},
		"masked":      {"disk is full: http://me:secret@host/", "disk is full: http://***@host/"},
		"cut":         {strings.Repeat("a", 2000) + " disk is full " + strings.Repeat("b", 2000), strings.Repeat("a", 99) + " disk is full " + strings.Repeat("b", 400-113)},
		"bad letters": {"disk is full \xff\xfe", "disk is full ÿþ"},
	} {
		e, err := b.Explain(t.Context(), Text{Reader: strings.NewReader(c.text)})
		if err != nil || len(e.Matches) != 1 || e.Matches[0].Evidence != c.want {
			t.Errorf("%s: %v %+v\nwant %q", name, err, e.Matches, c.want)
		}
	}
}

func TestExplainEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Embedded().Explain(ctx, Text{Reader: strings.NewReader(strings.Repeat("x\n", 5000))}); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interruption: %v", err)
	}
	broken := errors.New("broken")
	if _, err := Embedded().Explain(t.Context(), Text{Reader: iotest.ErrReader(broken)}); !errors.Is(err, broken) {
		t.Errorf("after an error of reading: %v", err)
	}
}

func TestAutomaton(t *testing.T) {
	texts := []string{"he", "she", "hers", "his", "模块", "x:y"}
	a := newAutomaton(texts)
	for _, c := range []struct{ in, want string }{
		{"ushers", "she@4 he@4 hers@6"}, {"USHERS", "she@4 he@4 hers@6"}, {"h i\ts", "his@5"}, {"无模块", "模块@9"}, {"hi", ""}, {"", ""}, {"x : y", "x:y@5"}, {"shhis", "his@5"},
	} {
		var got []string
		_, hits := a.feed(0, []byte(c.in), nil)
		for _, h := range hits {
			got = append(got, texts[h.text]+"@"+itoa(h.end))
		}
		slices.Sort(got)
		want := strings.Fields(c.want)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", c.in, got, want)
		}
	}
	state, _ := a.feed(0, []byte("us"), nil)
	if _, hits := a.feed(state, []byte("he"), nil); len(hits) != 2 {
		t.Errorf("a text in two pieces: %v", hits)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		kind, constraint, version string
		want                      bool
	}{
		{"ga", ">= 7.2.8, < 7.2.10", "7.2.8", true}, {"ga", ">= 7.2.8, < 7.2.10", "7.2.10", false}, {"ga", "7.2.*", "7.2.10", true},
		{"ga", "< 7.0 || >= 7.2.10", "7.2.12", true}, {"ga", "< 7.0 || >= 7.2.10", "7.1.0", false}, {"ga", "= 7.0", "7.0.0", true}, {"ga", "!= 7.0", "7.0.2", true},
		{"ga", "> 7.0", "no version", false}, {"ga", "<= 7.0.10", "7.0.9", true},
		{"kernel", "5.14.0-687.*", "5.14.0-687.10.1.el9_8.x86_64", true}, {"kernel", "5.14.0-687.*", "5.14.0-70.el9", false},
		{"kernel", ">= 6.12", "6.12.107+deb13-amd64", true}, {"kernel", ">= 5.14.0-100", "5.14.0-70.el9.x86_64", false}, {"kernel", ">= 6.12", "6.9.1", false},
	} {
		set, err := parseConstraint(c.kind, c.constraint)
		if err != nil || set.has(c.kind, c.version) != c.want {
			t.Errorf("%s %s has %s: %v, want %v", c.kind, c.constraint, c.version, err, c.want)
		}
	}
	for _, bad := range []string{"", ">= ", ">= x", "7.0,,8", "~> 7"} {
		if _, err := parseConstraint("ga", bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good.yaml"), "signatures:\n  - {id: my.own, match: [abcdefg], says: mine}\n")
	write(t, filepath.Join(dir, "bad.yaml"), "signatures:\n  - {id: my.bad, match: ['('], says: mine}\n")
	write(t, filepath.Join(dir, "note.txt"), "no signature")
	b, err := Embedded().With(Folder{Path: dir}, Folder{Path: filepath.Join(dir, "nosuch")})
	if err == nil || !strings.Contains(err.Error(), "bad.yaml:2:26: signature my.bad: error parsing regexp") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error: %v", err)
	}
	if e, err := b.Explain(t.Context(), Text{Reader: strings.NewReader("ABCDEFG")}); err != nil || e.Verdict != Known {
		t.Errorf("one's own signature: %v %+v", err, e)
	}
	if len(b.signatures) != len(Embedded().signatures)+1 {
		t.Errorf("%d signatures of %d", len(b.signatures), len(Embedded().signatures))
	}
	if _, err := b.With(Folder{Path: dir}); err == nil || !strings.Contains(err.Error(), "good.yaml:2:10: signature my.own is there already") {
		t.Errorf("twice: %v", err)
	}
}

// A guest can write into a project's folder.
func TestAProjectGivesWordsOnly(t *testing.T) {
	for _, text := range []string{"signatures:\n  - {id: my.own, match: [abcdefg], says: x, advice: [rm]}\n", "signatures:\n  - {id: my.own, match: [abcdefg], says: x, fix: kernel.devel}\n",
		"harmless:\n  - {match: abcdefg, line: abcdefg}\n", "runs:\n  - {match: abcdefg, line: abcdefg}\n", "trouble: {words: [abcdefg]}\n"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "x.yaml"), text)
		if _, err := Embedded().With(Folder{Path: dir, Words: true}); err == nil || !strings.Contains(err.Error(), "not taken from a project's folder") {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := Embedded().With(Folder{Path: dir}); err != nil {
			t.Errorf("from the user: %v", err)
		}
	}
}

// eager is the embedded base with every rule tried at every line: what looking for texts first hides, this finds. Only words of
// trouble stay as they are, because their place matters.
func eager(t testing.TB) *Base {
	t.Helper()
	b := &Base{}
	if err := b.readAll(files, "data/signatures", complete); err != nil {
		t.Fatal(err)
	}
	ix := b.index()
	var all []int32
	for i := range ix.rules {
		if ix.rules[i].kind != kindTrouble {
			all = append(all, int32(i))
		}
		for j := range ix.rules[i].patterns {
			ix.rules[i].patterns[j].alternatives = [][]int{nil}
		}
	}
	for c := byte('!'); c <= '~'; c++ {
		ix.texts, ix.users = append(ix.texts, strings.ToLower(string(c))), append(ix.users, all)
	}
	ix.automaton = newAutomaton(ix.texts)
	return b
}

// What is looked for first never hides a match.
func FuzzExplain(f *testing.F) {
	for _, dir := range []string{"samples", "more", "healthy", "unknown"} {
		for _, path := range textFiles(f, dir) {
			f.Add(sample(f, path))
		}
	}
	b := eager(f)
	f.Fuzz(func(t *testing.T, text string) {
		got := explained(t, text)
		if beyondASCII.MatchString(text) || len(text) > reach/2 {
			return // other letters' cases, and far-apart parts of one line, are not what the first look is made for
		}
		want, err := b.Explain(t.Context(), Text{Reader: strings.NewReader(text)})
		if err != nil || summary(got) != summary(want) {
			t.Errorf("%q\nis %s\nand with every expression tried everywhere %s", text, summary(got), summary(want))
		}
		for _, m := range got.Matches {
			if m.Line < 1 || m.Line > strings.Count(text, "\n")+1 || strings.Contains(m.Evidence, "\n") || len(m.Evidence) > 2*mostEvidence {
				t.Errorf("%q: line %d %q", text, m.Line, m.Evidence)
			}
		}
	})
}

var beyondASCII = regexp.MustCompile(`[^\x00-\x7f]`)

func FuzzLoad(f *testing.F) {
	f.Add([]byte(testBase))
	f.Add([]byte("signatures:\n  - {id: a.b, match: ['('], says: x}\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &Base{}
		if err := b.add("x.yaml", text, anything); err != nil {
			if !strings.HasPrefix(err.Error(), "x.yaml:") || len(b.signatures) > 0 {
				t.Errorf("%q: %v, %d signatures", text, err, len(b.signatures))
			}
			return
		}
		if _, err := b.Explain(t.Context(), Text{Reader: bytes.NewReader(text)}); err != nil {
			t.Error(err)
		}
	})
}
