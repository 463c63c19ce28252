package knowledge

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample reads a text without its leading # lines, which say where it comes from.
func sample(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, head := string(b), ""
	for strings.HasPrefix(text, "#") {
		line, rest, _ := strings.Cut(text, "\n")
		head, text = head+line+"\n", rest
	}
	if low := strings.ToLower(head); !strings.Contains(low, "synthetic") && !strings.Contains(low, "recorded") {
		t.Errorf("%s does not say whether it is recorded or synthetic", path)
	}
	return text
}

func textFiles(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
	if err != nil || len(list) == 0 {
		t.Fatalf("testdata/%s is empty: %v", dir, err)
	}
	return list
}

func TestEverySignatureIsProvenByItsSample(t *testing.T) {
	used := map[string]bool{}
	for _, s := range Signatures() {
		for _, name := range s.Samples {
			path := filepath.Join("testdata", "samples", name)
			used[path] = true
			got, evidence, ok := Classify(sample(t, path))
			if !ok || got.ID != s.ID {
				t.Errorf("%s is classified as %q, want %s", path, got.ID, s.ID)
			}
			if ok && evidence == "" {
				t.Errorf("%s: no evidence", path)
			}
		}
	}
	for _, path := range textFiles(t, "samples") {
		if !used[path] {
			t.Errorf("%s proves no signature", path)
		}
	}
}

// TestMoreWordings: other versions, languages and programs that mean the same, in files named ID--WHAT.txt.
func TestMoreWordings(t *testing.T) {
	for _, path := range textFiles(t, "more") {
		want, _, _ := strings.Cut(filepath.Base(path), "--")
		if got, ev, _ := Classify(sample(t, path)); got.ID != want {
			t.Errorf("%s is classified as %q by %q, want %s", path, got.ID, ev, want)
		}
	}
}

// explained is what is known of a text.
func explained(t testing.TB, text string) Explanation {
	t.Helper()
	e, err := Embedded().Explain(context.Background(), Text{Reader: strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestHealthyTextsAreNoCause(t *testing.T) {
	for _, path := range textFiles(t, "healthy") {
		text := sample(t, path)
		if e := explained(t, text); e.Verdict != Harmless {
			t.Errorf("%s is %s: %+v", path, e.Verdict, e.Matches)
		}
		for line := range strings.Lines(text) {
			if got, ev, ok := Classify(line); ok {
				t.Errorf("a line of %s alone is classified as %s by %q", path, got.ID, ev)
			}
		}
	}
}

// The harmless lines of section 2.8 of the catalogue: none is a fault, and none hides the fault beside it.
func TestHarmlessLines(t *testing.T) {
	lines := []string{
		"Installing the Window System drivers ...fail!",
		"(Could not find the X.Org or XFree86 Window System.)",
		"Could not find the X.Org or XFree86 Window System, skipping.",
		"VBoxClient: error while loading shared libraries: libX11.so.6: cannot open shared object file: No such file or directory",
		"mount: /dev/loop0 is write-protected, mounting read-only",
		"stdin: is not a tty",
		"mesg: ttyname failed: Inappropriate ioctl for device",
		`  test -e include/generated/autoconf.h || ( echo >&2 "  ERROR: Kernel configuration is invalid."; /bin/false)`,
		"make[1]: warning: -jN forced in submake: disabling jobserver mode.",
		"Skipping BTF generation for /tmp/vbox.0/vboxsf.ko due to unavailability of vmlinux",
		"File context for /opt/VBoxGuestAdditions-7.0.20/other/mount.vboxsf already defined, modifying instead",
		"umount: /mnt: not mounted.",
		"sudo: unable to resolve host box",
	}
	for _, line := range lines {
		if got, ev, ok := Classify(line); ok {
			t.Errorf("%q is classified as %s by %q", line, got.ID, ev)
		}
		if got := explained(t, line).Verdict; got != Harmless {
			t.Errorf("%q is %s", line, got)
		}
		fault := "Kernel headers not found for target kernel 6.1.0-56-amd64."
		if got, _, _ := Classify(line + "\n" + fault + "\n" + line); got.ID != "kernel.headers_debian" {
			t.Errorf("%q hides the fault: %q", line, got.ID)
		}
	}
}

// The literal texts of the first report (issue 1).
func TestTextsOfTheFirstReport(t *testing.T) {
	for text, want := range map[string]string{
		"*** Error: unable to find the sources of your current Linux kernel. Specify KERN_DIR=<directory> and run Make again.  Stop.": "kernel.devel_missing",
		"modprobe vboxguest failed": "modules.loaded",
		"/sbin/mount.vboxsf: mounting failed with the error: No such device": "modules.loaded",
		"No package kernel-devel-2.6.32-358.23.2.el6.x86_64 available.":      "kernel.devel_missing",
		"Warning: No matches found for: kernel-devel":                        "kernel.devel_missing",
	} {
		got, ev, ok := Classify(text)
		if !ok || got.Check != want || ev == "" {
			t.Errorf("%q names %q, want %s", text, got.Check, want)
		}
	}
}

// Of a log that says everything, the cause is named and not its symptoms.
func TestCausesComeBeforeSymptoms(t *testing.T) {
	log := sample(t, "testdata/samples/services.txt") + sample(t, "testdata/samples/modprobe-failed.txt") +
		sample(t, "testdata/samples/mount-no-device.txt") + sample(t, "testdata/samples/founding-kern-dir.txt")
	if got, _, _ := Classify(log); got.Check != "kernel.devel_missing" {
		t.Errorf("classified as %s", got.ID)
	}
	build := sample(t, "testdata/samples/clock-skew.txt") + sample(t, "testdata/samples/compile-from-timer.txt")
	if got, _, _ := Classify(build); got.ID != "build.from_timer" {
		t.Errorf("a warning about the clock hides the compiler's error: %s", got.ID)
	}
	both := sample(t, "testdata/samples/compile-vboxvideo.txt") + sample(t, "testdata/samples/compile-vboxsf.txt")
	if got, _, _ := Classify(both); got.ID != "build.dirops" {
		t.Errorf("the graphics driver hides the shared folders: %s", got.ID)
	}
}

func TestUnknownTextIsNeverGuessed(t *testing.T) {
	for _, path := range textFiles(t, "unknown") {
		if got, ev, ok := Classify(sample(t, path)); ok {
			t.Errorf("%s is classified as %s by %q", path, got.ID, ev)
		}
	}
	for _, text := range []string{"", "\n\n", "everything is fine", "error: something else entirely", strings.Repeat("x", 1<<13), "\x00\xff\xfe"} {
		if got, ev, ok := Classify(text); ok {
			t.Errorf("%.40q is classified as %s by %q", text, got.ID, ev)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"trailing space", "VirtualBox Guest Additions: Kernel headers not found for target kernel \n6.1.0-56-amd64. Please install them and execute\n  /sbin/rcvboxadd setup\n",
			"VirtualBox Guest Additions: Kernel headers not found for target kernel 6.1.0-56-amd64. Please install them and execute\n/sbin/rcvboxadd setup"},
		{"long line, sentence goes on", "VirtualBox Guest Additions: Running kernel modules will not be replaced until\nthe system is restarted or 'rcvboxadd reload' triggered\n",
			"VirtualBox Guest Additions: Running kernel modules will not be replaced until the system is restarted or 'rcvboxadd reload' triggered"},
		{"CRLF", "unable to unmount shared folders, mount point(s) might be still \r\nin use\r\n", "unable to unmount shared folders, mount point(s) might be still in use"},
		{"next message is not joined", "VirtualBox Guest Additions: a line that is long enough to have been folded, but\nVirtualBox Guest Additions: another message\n",
			"VirtualBox Guest Additions: a line that is long enough to have been folded, but\nVirtualBox Guest Additions: another message"},
		{"short lines are not joined", "modules.\nthis is another line\n", "modules.\nthis is another line"},
		{"empty line ends a message", "a message with a space at its end \n\nnext\n", "a message with a space at its end\n\nnext"},
		{"harmless lines", "one\nstdin: is not a tty\ntwo", "one\ntwo"},
		{"nothing", "", ""},
		{"no final newline", "one", "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Join(c.in); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// Every message that a signature looks for is found wherever the script may have folded it, with and without
// its prefix, and with CRLF.
func TestFoldedAnywhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Kernel headers not found for target kernel 5.14.0-362.8.1.el9_3.x86_64. Please install them and execute /sbin/rcvboxadd setup", "log.headers_target"},
		{"Running kernel modules will not be replaced until the system is restarted or 'rcvboxadd reload' triggered", "log.not_reloaded"},
		{"cannot reload kernel modules: one or more module(s) is still in use", "log.in_use"},
		{"Please install the gcc make perl packages from your distribution.", "log.build_tools"},
		{"This system is currently not set up to build kernel modules.", "log.headers_old"},
	} {
		for i, r := range c.text {
			if r != ' ' {
				continue
			}
			for _, prefix := range []string{"", "VirtualBox Guest Additions: "} {
				for _, eol := range []string{"\n", "\r\n"} {
					folded := "before" + eol + prefix + c.text[:i+1] + eol + c.text[i+1:] + eol + "VirtualBox Guest Additions: after" + eol
					if got, _, _ := Classify(folded); got.ID != c.want {
						t.Errorf("%q is classified as %q, want %s", folded, got.ID, c.want)
					}
				}
			}
		}
	}
}

func TestDataIsWhole(t *testing.T) {
	row := regexp.MustCompile(`^([A-Z]\d+|\d\.\d(\.\d+)?|[a-z0-9]+\.[a-z0-9_]+)$`)
	for _, s := range Signatures() {
		for _, r := range s.Rows {
			if !row.MatchString(r) {
				t.Errorf("signature %s: row %q", s.ID, r)
			}
		}
		if _, err := time.Parse(time.DateOnly, s.Date); err != nil {
			t.Errorf("signature %s: %v", s.ID, err)
		}
	}
	catalogue(t)
	for _, r := range load().releases {
		if !row.MatchString(r.Row) || !strings.HasPrefix(r.Archive, "http") {
			t.Errorf("%s %s: row %q, archive %q", r.ID, r.Version, r.Row, r.Archive)
		}
		for _, date := range []string{r.EOL, r.StreamEOL} {
			if _, err := time.Parse(time.DateOnly, date); err != nil && (date != "" || r.EOL == "") {
				t.Errorf("%s %s: %v", r.ID, r.Version, err)
			}
		}
		if (r.StreamArchive == "") != (r.StreamEOL == "") {
			t.Errorf("%s %s: stream archive and stream date belong together", r.ID, r.Version)
		}
		if r.Source == "" || r.Confidence != Vendor && r.Confidence != Likely {
			t.Errorf("%s %s: source %q, confidence %q", r.ID, r.Version, r.Source, r.Confidence)
		}
		if (r.ID == "debian" || r.ID == "ubuntu") && r.Codename == "" {
			t.Errorf("%s %s has no codename", r.ID, r.Version)
		}
	}
	for _, f := range load().families {
		for _, tool := range []string{"gcc", "make", "perl", "bzip2", "tar", "libelf"} {
			if f.Tools[tool] == "" {
				t.Errorf("%v: no package for %s", f.Managers, tool)
			}
		}
		if last := f.Kernels[len(f.Kernels)-1]; last.Flavour != "" {
			t.Errorf("%v: the stock kernel must come last, it is what an unknown flavour gets", f.Managers)
		}
		for _, k := range f.Kernels {
			if k.Kernel == "" || k.Devel == "" || k.Headers == "" || !row.MatchString(k.Row) {
				t.Errorf("%v: %+v", f.Managers, k)
			}
		}
	}
}

// catalogue: the rows that data may name all exist in the catalogue's numbering.
func catalogue(t *testing.T) {
	t.Helper()
	last := map[byte]int{'K': 12, 'L': 18, 'T': 8, 'S': 15, 'M': 11, 'V': 25, 'H': 6}
	host := hostRows(t)
	check := func(row string) {
		if slices.Contains(host, row) || strings.HasPrefix(row, "mongo.") { // checks of databases have no catalogue
			return
		}
		if n, letter := 0, row[0]; letter >= 'A' && letter <= 'Z' {
			for _, d := range row[1:] {
				n = n*10 + int(d-'0')
			}
			if n < 1 || n > last[letter] {
				t.Errorf("there is no row %s", row)
			}
		} else if letter >= 'a' {
			t.Errorf("there is no row %s", row)
		}
	}
	for _, s := range Signatures() {
		for _, r := range s.Rows {
			check(r)
		}
	}
	for _, r := range load().releases {
		check(r.Row)
	}
}

func TestFamilyOfAndKernelOf(t *testing.T) {
	for manager, devel := range map[string]string{"yum": "kernel-devel", "dnf": "kernel-devel", "dnf5": "kernel-devel", "apt": "linux-headers-",
		"zypper": "kernel-default-devel", "pacman": "linux-headers"} {
		f, ok := FamilyOf(manager)
		if got := f.KernelOf("a flavour nobody knows").Devel; !ok || got != devel {
			t.Errorf("%s: %q, want %q", manager, got, devel)
		}
	}
	if _, ok := FamilyOf("apk"); ok {
		t.Error("apk is no package manager that boxdoctor knows")
	}
	dnf, _ := FamilyOf("dnf")
	if got := dnf.KernelOf("uek").Devel; got != "kernel-uek-devel" {
		t.Errorf("uek: %s", got)
	}
}

func TestEndOfLife(t *testing.T) {
	for _, c := range []struct {
		id, version, pretty, archive, eol string
	}{
		{"centos", "6.4", "CentOS release 6.4 (Final)", "http://vault.centos.org/6.10", "2020-11-30"},
		{"centos", "7", "CentOS Linux 7 (Core)", "http://vault.centos.org/7.9.2009", "2024-06-30"},
		{"centos", "8", "CentOS Linux 8", "http://vault.centos.org/8.5.2111", "2021-12-31"},
		{"centos", "8", "CentOS Stream 8", "http://vault.centos.org/8-stream", "2024-05-31"},
		{"debian", "10", "Debian GNU/Linux 10 (buster)", "http://archive.debian.org/debian", "2024-06-30"},
		{"ubuntu", "23.10", "Ubuntu 23.10", "http://old-releases.ubuntu.com/ubuntu", "2024-07-11"},
		{"ubuntu", "12.04", "Ubuntu 12.04.5 LTS", "http://old-releases.ubuntu.com/ubuntu", "2017-04-28"},
		{"fedora", "38", "Fedora Linux 38 (Server Edition)", "https://archives.fedoraproject.org/pub/archive/fedora/linux/releases/38", "2024-05-21"},
		{"opensuse-leap", "15.4", "openSUSE Leap 15.4", "https://download.opensuse.org/distribution/leap/15.4/repo/oss", "2023-12-07"},
		{"opensuse-tumbleweed", "20240101", "openSUSE Tumbleweed", "", ""},
		{"arch", "", "Arch Linux", "", ""},
		{"ubuntu", "16.04", "Ubuntu 16.04.7 LTS", "", ""},
		{"centos", "9", "CentOS Stream 9", "", ""},
		{"debian", "12", "", "", ""},
		{"ubuntu", "22.04", "", "", ""},
		{"ubuntu", "23", "", "", ""},
		{"rocky", "8.5", "", "", ""},
		{"", "", "", "", ""},
	} {
		r, ok := EndOfLife(c.id, c.version)
		r = r.Of(c.pretty)
		if ok != (c.archive != "") || r.Archive != c.archive || r.EOL != c.eol {
			t.Errorf("%s %s: %v %q %q, want %q %q", c.id, c.version, ok, r.Archive, r.EOL, c.archive, c.eol)
		}
	}
}

func TestMinorVault(t *testing.T) {
	for _, c := range []struct{ id, major, minor, want string }{
		{"rocky", "9", "9.2", "https://dl.rockylinux.org/vault/rocky/9.2/AppStream/x86_64/os/"},
		{"rocky", "8", "8.7", "https://dl.rockylinux.org/vault/rocky/8.7/BaseOS/x86_64/os/"},
		{"almalinux", "9", "9.1", "https://repo.almalinux.org/vault/9.1/AppStream/x86_64/os/"},
		{"almalinux", "7", "7.1", ""},
		{"centos", "8", "8.1", ""},
	} {
		if got, ok := MinorVault(c.id, c.major, c.minor, "x86_64"); got != c.want || ok != (c.want != "") {
			t.Errorf("%s %s: %q %v", c.id, c.minor, got, ok)
		}
	}
}

func TestLoadRefusesWhatIsMalformed(t *testing.T) {
	const good = "signatures:\n  - id: a.b\n    match: [abcd]\n    says: it is so\n"
	if err := (&Base{}).add("x.yaml", []byte(good), anything); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"no says", "signatures:\n  - id: a.b\n    match: [abcd]\n", "x.yaml:2:9: signature a.b: says is missing"},
		{"no id", "signatures:\n  - says: x\n    match: [abcd]\n", `x.yaml:2:5: id "": lower-case area.name is expected`},
		{"no expression", "signatures:\n  - id: a.b\n    says: it is so\n", "x.yaml:2:9: signature a.b: match is missing"},
		{"bad expression", "signatures:\n  - id: a.b\n    says: it is so\n    match:\n      - abcd\n      - '('\n", "x.yaml:6:9: signature a.b: error parsing regexp: missing closing ): `(?im)(`"},
		{"nothing to look for", "signatures:\n  - id: a.b\n    says: it is so\n    match: ['\\w+']\n", "x.yaml:4:13: signature a.b: no fixed text of at least four characters is in every match, so it would be tried on everything"},
		{"unknown capture", "signatures:\n  - id: a.b\n    says: it is so\n    match: ['abcd(?P<x>e)']\n", `x.yaml:4:13: signature a.b: unknown capture "x" (known: ga, kernel, vbox, vagrant, module, package, share, host, port, path)`},
		{"role", good + "    role: reason\n", `x.yaml:5:11: role "reason": cause or symptom`},
		{"confidence", good + "    confidence: 2\n", "x.yaml:5:17: confidence 2: between 0 and 1"},
		{"within", good + "    within: 900\n", "x.yaml:5:13: within 900: at most 40 lines"},
		{"twice", good + good[len("signatures:\n"):], "x.yaml:5:9: signature a.b is there already"},
		{"unknown key", good + "    advise: [x]\n", `x.yaml:5:5: unknown field "advise"`},
		{"double key", good + "    says: again\n", `x.yaml:5:5: mapping key "says" already defined at [4:5]`},
		{"no YAML", "signatures: [\n", "x.yaml:1:13: sequence end token ']' not found"},
		{"harmless", "harmless:\n  - match: '['\n    line: x\n", "x.yaml:2:12: error parsing regexp: missing closing ]: `[`"},
	} {
		b := &Base{}
		err := b.add("x.yaml", []byte(c.text), anything)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
		if len(b.signatures)+len(b.harmless) > 0 {
			t.Errorf("%s: half of the file is taken", c.name)
		}
	}
}

// Embedded signatures say more than users' need to.
func TestEmbeddedSignaturesAreComplete(t *testing.T) {
	whole := Signature{ID: "a.b", Rows: []string{"K1"}, Source: "x", Date: "2026-11-22", Samples: []string{"x.txt"}}
	if err := whole.complete(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Signature){
		"rows": func(s *Signature) { s.Rows = nil }, "source": func(s *Signature) { s.Source = "" }, "date": func(s *Signature) { s.Date = "" },
		"samples": func(s *Signature) { s.Samples = nil }, "sample's name": func(s *Signature) { s.Samples = []string{""} },
	} {
		s := whole
		if spoil(&s); s.complete() == nil {
			t.Errorf("without %s it is accepted", name)
		}
	}
}

// Each line that is no fault proves its expression, and no harmless one is forgotten when it comes with others.
func TestLinesProveTheirExpressions(t *testing.T) {
	b := Embedded()
	for _, l := range slices.Concat(b.harmless, b.healthy, b.context, b.runs) {
		if !l.match.in([]byte(l.Line)) {
			t.Errorf("%q does not match its line %q", l.Match, l.Line)
		}
	}
}

// Every expression has texts to look for first, and where it matches one of them occurs.
func TestPatternsNeedWhatTheyMatch(t *testing.T) {
	for _, s := range Signatures() {
		for i, p := range s.match {
			if len(p.needs) == 0 {
				t.Errorf("%s: no text is required by %q, so it is tried on everything", s.ID, s.Match[i])
			}
		}
	}
	for expr, want := range map[string]string{"abcd|wxyz": "abcd wxyz", "a(bcd|efg)": "abcd aefg", "abc.*longer": "longer", "abc?": "", "a|bcde": "", "[a-z]+": "",
		"(KEYS|Name)+ x": "keysx namex", `a b\s+c d?e`: "abce abcde", `[Kk]ern[ae]l`: "kernal kernel", `(?P<kernel>\d\S+) not \s* found`: "notfound",
		"Überprüfung der Dateien": "fungderdateien", "模块 failed": "模块failed", `x{3}error`: "xerror", `(error){2}`: "error", `\bmake\b: \*\*\*`: "make:***"} {
		p, err := compile(expr)
		if got := strings.Join(p.needs, " "); err != nil || got != want {
			t.Errorf("%s requires %q, %v; want %q", expr, got, err, want)
		}
	}
	if _, err := compile("("); err == nil {
		t.Error("a malformed expression is accepted")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
