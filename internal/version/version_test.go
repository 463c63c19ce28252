package version

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// ordered checks a strict total order on every ordered pair of a table that is listed oldest first.
func ordered(t *testing.T, table []string, compare func(a, b string) int) {
	t.Helper()
	for i, a := range table {
		for j, b := range table {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := compare(a, b); got != want {
				t.Errorf("compare(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

var rpmTable = []string{
	"", "1~beta", "1~rc1", "1", "1^", "1^20200101", "1a", "1.0", "1.0a", "1.0.1~rc1", "1.0.1", "1.1",
	"1.9", "1.10", "2a", "2.0", "10xyz", "10.1xyz", "20200101",
}

func TestRPMVerCmpAllPairs(t *testing.T) { ordered(t, rpmTable, RPMVerCmp) }

func TestRPMVerCmpEqual(t *testing.T) {
	for _, p := range [][2]string{{"1.0", "1_0"}, {"1.0", "1.00"}, {"1.0", "1.0."}, {"2_0.", "2.0"}, {"a+b", "a.b"}, {"0", "00"}} {
		if RPMVerCmp(p[0], p[1]) != 0 || RPMVerCmp(p[1], p[0]) != 0 {
			t.Errorf("%q and %q must be equal", p[0], p[1])
		}
	}
}

// TestRPMVerCmpAgainstRPM asks the real rpm, where there is one.
func TestRPMVerCmpAgainstRPM(t *testing.T) {
	rpm, err := exec.LookPath("rpm")
	if err != nil {
		t.Skip("no rpm on this machine to compare with")
	}
	all := append([]string{"1_0", "1.00", "1.0.", "1..0", "1~~", "1~^", "^1", "~1", "1^~2", "a", "A", "362.8.1.el9_3", "362.el9", "358.10.2.el6", "358.23.2.el6", "696.10.2.el6"}, rpmTable[1:]...)
	var lua strings.Builder
	for _, a := range all {
		for _, b := range all {
			lua.WriteString(`print(rpm.vercmp("` + a + `","` + b + `").." ") `)
		}
	}
	out, err := exec.Command(rpm, "--eval", "%{lua:"+lua.String()+"}").CombinedOutput()
	got := strings.Fields(string(out))
	if err != nil || len(got) != len(all)*len(all) {
		t.Skipf("this rpm has no rpm.vercmp: %v %.80s", err, out)
	}
	names := map[int]string{-1: "-1", 0: "0", 1: "1"}
	for i, a := range all {
		for j, b := range all {
			if want := got[i*len(all)+j]; names[RPMVerCmp(a, b)] != want {
				t.Errorf("RPMVerCmp(%q, %q) = %d, rpm says %s", a, b, RPMVerCmp(a, b), want)
			}
		}
	}
}

func TestParseEVR(t *testing.T) {
	for in, want := range map[string]EVR{
		"0:1.2-3.el7":                {0, "1.2", "3.el7"},
		"1.2-3":                      {0, "1.2", "3"},
		"1.2":                        {0, "1.2", ""},
		"(none):1.2-3":               {0, "1.2", "3"},
		"32:9.11.4-26.P2.el7":        {32, "9.11.4", "26.P2.el7"},
		" 5.14.0-362.8.1.el9_3\n":    {0, "5.14.0", "362.8.1.el9_3"},
		"1.0~rc1^git1-0.1.fc40":      {0, "1.0~rc1^git1", "0.1.fc40"},
		"2.6.32-358.10.2.el6.x86_64": {0, "2.6.32", "358.10.2.el6.x86_64"},
	} {
		got, err := ParseEVR(in)
		if err != nil || got != want {
			t.Errorf("ParseEVR(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", " ", "a:1-2", ":1-2", "1:", "1.2-", "-3", "1-2-3", "1:2:3", "1234567890:1-1", "1\x1b[31m-2", "1/2", strings.Repeat("1", 300)} {
		if got, err := ParseEVR(in); err == nil {
			t.Errorf("ParseEVR(%q) = %+v, want an error", in, got)
		}
	}
}

func TestEVRStringAndCompare(t *testing.T) {
	for in, want := range map[string]string{"0:1.2-3": "1.2-3", "2:1-1": "2:1-1", "1.2": "1.2"} {
		if e, _ := ParseEVR(in); e.String() != want {
			t.Errorf("%q prints as %q, want %q", in, e, want)
		}
	}
	table := []string{"1.2", "1.2-1~rc1", "1.2-1", "1.2-1.el7", "1.2-10", "1.10-1", "2.6.32-358.10.2.el6", "2.6.32-358.23.2.el6", "2.6.32-696.10.2.el6", "3.10.0-1127.el7", "1:0.1-1", "2:0.0-0"}
	ordered(t, table, func(a, b string) int {
		x, errX := ParseEVR(a)
		y, errY := ParseEVR(b)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		return x.Compare(y)
	})
}

func TestParseNEVRA(t *testing.T) {
	for in, want := range map[string]NEVRA{
		"kernel-devel-0:5.14.0-362.8.1.el9_3.x86_64": {"kernel-devel", EVR{0, "5.14.0", "362.8.1.el9_3"}, "x86_64"},
		"kernel-devel-5.14.0-362.8.1.el9_3.x86_64":   {"kernel-devel", EVR{0, "5.14.0", "362.8.1.el9_3"}, "x86_64"},
		"kernel-2.6.32-358.23.2.el6":                 {"kernel", EVR{0, "2.6.32", "358.23.2.el6"}, ""},
		"32:bind-9.11.4-26.P2.el7.x86_64":            {"bind", EVR{32, "9.11.4", "26.P2.el7"}, "x86_64"},
		"bind-32:9.11.4-26.P2.el7.x86_64.rpm":        {"bind", EVR{32, "9.11.4", "26.P2.el7"}, "x86_64"},
		"kernel-uek-devel-3.8.13-55.1.8.el7uek.x86_64": {"kernel-uek-devel",
			EVR{0, "3.8.13", "55.1.8.el7uek"}, "x86_64"},
	} {
		got, err := ParseNEVRA(in)
		if err != nil || got != want {
			t.Errorf("ParseNEVRA(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "kernel", "kernel-devel", "-1-2", "a:b:c-1-2", "kernel-1-2:3", "0:kernel-1:2-3.x86_64", "kernel-devel-*", "k-1-"} {
		if got, err := ParseNEVRA(in); err == nil {
			t.Errorf("ParseNEVRA(%q) = %+v, want an error", in, got)
		}
	}
}

func TestNEVRAMatchesSpec(t *testing.T) {
	p, _ := ParseNEVRA("kernel-devel-5.14.0-362.8.1.el9_3.x86_64")
	for pattern, want := range map[string]bool{
		"kernel-devel": true, "kernel*": true, "kernel": false, "kernel-devel.x86_64": true, "*-devel": true,
		"kernel-devel-5.14.0": true, "kernel-devel-0:5.14.0-362.8.1.el9_3": true, "kernel-devel-5.14.0-362*": true,
		"0:kernel-devel-5.14.0-362.8.1.el9_3.x86_64": true, "kernel-devel.i686": false, "kernel-headers": false,
		"kernel-deve?": true, "kernel-[!d]*": false, "": false,
	} {
		if got := p.MatchesSpec(pattern); got != want {
			t.Errorf("MatchesSpec(%q) = %v, want %v", pattern, got, want)
		}
	}
	if got := p.String(); got != "kernel-devel-5.14.0-362.8.1.el9_3.x86_64" {
		t.Errorf("String = %q", got)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"", "", true}, {"", "a", false}, {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false},
		{"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false}, {"[]x]", "]", true}, {"[x", "[x", true}, {"[!]", "[!]", true},
		{"?", "é", false}, {"a.c", "abc", false}, {"**", "abc", true}, {"[a-]", "-", true}, {"*.el7", "1.el7", true},
	} {
		if got := Glob(c.pattern, c.s); got != c.want {
			t.Errorf("Glob(%q, %q) = %v, want %v", c.pattern, c.s, got, c.want)
		}
	}
	if Glob(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 10000)) {
		t.Error("must not match")
	}
}

// lockRows follow the plugins' own code: yum-utils versionlock.py and dnf-plugins-core versionlock.py.
var lockRows = []struct {
	entry   string
	d       Dialect
	pkg     string
	matches bool
	blocks  bool
}{
	{"0:kernel-devel-3.10.0-1127.el7.*", Yum, "kernel-devel-3.10.0-1127.el7.x86_64", true, false},
	{"0:kernel-devel-3.10.0-1127.el7.*", Yum, "kernel-devel-3.10.0-1160.el7.x86_64", false, true},
	{"0:kernel-devel-3.10.0-1127.el7.*", Yum, "kernel-3.10.0-1160.el7.x86_64", false, false},
	{"kernel-devel-3.10.0-1127.el7.*", Yum, "kernel-devel-3.10.0-1127.el7.x86_64", true, false},
	{"0:Kernel-Devel-3.10.0-1127.el7.*", Yum, "kernel-devel-3.10.0-1127.el7.x86_64", true, false},
	{"0:kernel-devel-3.10.0-*.*", Yum, "kernel-devel-3.10.0-1127.el7.x86_64", false, true},  // yum 3 knows no globs here
	{"0:kernel-2.6.32-358.23.2.el6", Yum, "kernel-2.6.32-358.23.2.el6.x86_64", false, true}, // el6 is read as the arch
	{"0:kernel-2.6.32-358.23.2.el6.i686", Yum, "kernel-2.6.32-358.23.2.el6.x86_64", true, false},
	{"32:bind-9.11.4-26.P2.el7.*", Yum, "bind-32:9.11.4-26.P2.el7.x86_64", true, false},
	{"!0:kernel-devel-3.10.0-1127.el7.*", Yum, "kernel-devel-3.10.0-1127.el7.x86_64", true, true},
	{"!0:kernel-devel-3.10.0-1127.el7.*", Yum, "kernel-devel-3.10.0-1160.el7.x86_64", false, false},
	{"kernel-devel-0:5.14.0-1.el9.*", DNF, "kernel-devel-5.14.0-1.el9.x86_64", true, false},
	{"kernel-devel-0:5.14.0-1.el9.*", DNF, "kernel-devel-5.14.0-362.8.1.el9_3.x86_64", false, true},
	{"kernel-devel-0:5.14.0-1.el9.*", DNF, "kernel-devel-matched-5.14.0-362.8.1.el9_3.x86_64", false, false},
	{"kernel-devel-5.14.0-362.*", DNF, "kernel-devel-5.14.0-362.8.1.el9_3.x86_64", true, false},
	{"kernel-devel-5.14.0-362.8.1.el9*", DNF, "kernel-devel-5.14.0-362.8.1.el9_3.x86_64", true, false},
	{"kernel*-0:5.14.0-1.el9.*", DNF, "kernel-headers-5.14.0-2.el9.x86_64", false, true},
	{"kernel-devel", DNF, "kernel-devel-5.14.0-1.el9.x86_64", true, false},
	{"kernel-devel-5.14*", DNF, "kernel-devel-5.14.0-1.el9.x86_64", true, false},
	{"kernel-devel-0:4.18*", DNF, "kernel-devel-5.14.0-1.el9.x86_64", false, true},
	{"kernel-devel-1:5.14.0-1.el9.x86_64", DNF, "kernel-devel-5.14.0-1.el9.x86_64", false, true},
	{"kernel-devel-5.14.0-1.el9.i686", DNF, "kernel-devel-5.14.0-1.el9.x86_64", false, true},
	{"kernel.x86_64", DNF, "kernel-5.14.0-1.el9.x86_64", true, false},
	{"!kernel-devel-0:5.14.0-1.el9.*", DNF, "kernel-devel-5.14.0-1.el9.x86_64", true, true},
}

func TestLocks(t *testing.T) {
	for _, row := range lockRows {
		l, err := ParseLock(row.entry, row.d)
		if err != nil {
			t.Errorf("ParseLock(%q): %v", row.entry, err)
			continue
		}
		p, err := ParseNEVRA(row.pkg)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Matches(p); got != row.matches {
			t.Errorf("%q matches %s = %v, want %v (%+v)", row.entry, row.pkg, got, row.matches, l)
		}
		if got := len(Blocked([]Lock{l}, p)) > 0; got != row.blocks {
			t.Errorf("%q blocks %s = %v, want %v", row.entry, row.pkg, got, row.blocks)
		}
	}
}

func TestLocksTogether(t *testing.T) {
	a, _ := ParseLock("kernel-0:5.14.0-1.el9.*", DNF)
	b, _ := ParseLock("kernel-0:5.14.0-2.el9.*", DNF)
	not, _ := ParseLock("!kernel-0:5.14.0-2.el9.*", DNF)
	p, _ := ParseNEVRA("kernel-5.14.0-2.el9.x86_64")
	if by := Blocked([]Lock{a, b}, p); by != nil {
		t.Errorf("one lock allows it, blocked by %v", by)
	}
	if by := Blocked([]Lock{a, b, not}, p); len(by) != 1 || by[0].Raw != not.Raw {
		t.Errorf("the exclude wins: %v", by)
	}
}

func TestParseLockErrors(t *testing.T) {
	for _, c := range []struct {
		in string
		d  Dialect
	}{
		{"", Yum}, {"!", DNF}, {"# comment", DNF}, {"kernel", Yum}, {"kernel-devel", Yum},
		{"kernel-devel-0:5.14.0-1.el9.*", Yum}, {"0:kernel-devel-3.10.0-1127.el7.*", DNF},
		{"kernel >= 5", DNF}, {"a:b:c", DNF}, {"kernel\x1b[0m", Yum},
	} {
		_, err := ParseLock(c.in, c.d)
		var m *MalformedError
		if !errors.As(err, &m) || m.Kind != "lock entry" || !strings.Contains(err.Error(), "such as") {
			t.Errorf("ParseLock(%q, %d) error = %v", c.in, c.d, err)
		}
	}
}

var kernelRows = []Kernel{ // oldest first
	{"2.6.32-48-pve", "2.6.32", "48", "", "pve"},
	{"2.6.32-358.10.2.el6.x86_64", "2.6.32", "358.10.2.el6", "x86_64", ""},
	{"2.6.32-358.10.2.el6.x86_64.debug", "2.6.32", "358.10.2.el6", "x86_64", "debug"},
	{"2.6.32-358.23.2.el6.x86_64", "2.6.32", "358.23.2.el6", "x86_64", ""},
	{"2.6.32-696.10.2.el6.i686", "2.6.32", "696.10.2.el6", "i686", ""},
	{"2.6.32-696.10.2.el6.x86_64", "2.6.32", "696.10.2.el6", "x86_64", ""},
	{"3.8.13-55.1.8.el7uek.x86_64", "3.8.13", "55.1.8.el7uek", "x86_64", "uek"},
	{"3.10.0-1127.el7.x86_64", "3.10.0", "1127.el7", "x86_64", ""},
	{"3.10.0-1127.19.1.el7.x86_64", "3.10.0", "1127.19.1.el7", "x86_64", ""},
	{"4.18.0-553.el8_10.x86_64", "4.18.0", "553.el8_10", "x86_64", ""},
	{"4.18.7-1.el7.elrepo.x86_64", "4.18.7", "1.el7.elrepo", "x86_64", "elrepo"},
	{"5.4.0-1045-aws", "5.4.0", "1045", "", "aws"},
	{"5.14.0-362.8.1.el9_3.aarch64", "5.14.0", "362.8.1.el9_3", "aarch64", ""},
	{"5.14.0-362.8.1.el9_3.x86_64", "5.14.0", "362.8.1.el9_3", "x86_64", ""},
	{"5.14.0-362.8.1.el9_3.aarch64+64k", "5.14.0", "362.8.1.el9_3", "aarch64", "64k"},
	{"5.14.0-362.8.1.el9_3.x86_64+debug", "5.14.0", "362.8.1.el9_3", "x86_64", "debug"},
	{"5.14.21-150500.55.31-default", "5.14.21", "150500.55.31", "", "default"},
	{"5.15.0-91-generic", "5.15.0", "91", "", "generic"},
	{"5.15.0-91-lowlatency", "5.15.0", "91", "", "lowlatency"},
	{"5.15.131-2-pve", "5.15.131", "2", "", "pve"},
	{"5.15.133.1-microsoft-standard-WSL2", "5.15.133.1", "microsoft-standard-WSL2", "", ""},
	{"6.1.0-0.deb11.5-amd64", "6.1.0", "0.deb11.5", "", "amd64"},
	{"6.1.0-18-686-pae", "6.1.0", "18", "", "686-pae"},
	{"6.1.0-56-amd64", "6.1.0", "56", "", "amd64"},
	{"6.1.0-56-cloud-amd64", "6.1.0", "56", "", "cloud-amd64"},
	{"6.1.62-1-lts", "6.1.62", "1", "", "lts"},
	{"6.5.11-7-pve", "6.5.11", "7", "", "pve"},
	{"6.6.1-zen1-1-zen", "6.6.1", "zen1-1", "", "zen"},
	{"6.6.2-arch1-1", "6.6.2", "arch1-1", "", "arch"},
	{"6.6.2-201.fc39.x86_64", "6.6.2", "201.fc39", "x86_64", ""},
	{"6.6.31-0-virt", "6.6.31", "0", "", "virt"},
	{"6.7.0-rc1", "6.7.0", "rc1", "", ""},
	{"6.7.0-rc2-amd64", "6.7.0", "rc2", "", "amd64"},
	{"6.7.0", "6.7.0", "", "", ""},
	{"6.12.9+bpo-amd64", "6.12.9", "bpo", "", "amd64"},
	{"6.18.44-fc-v669", "6.18.44", "fc-v669", "", ""},
	{"7.2.13+deb14-amd64", "7.2.13", "deb14", "", "amd64"},
	{"7.2.13+deb14+1-amd64", "7.2.13", "deb14+1", "", "amd64"},
}

func TestParseKernel(t *testing.T) {
	for _, want := range kernelRows {
		got, err := ParseKernel(want.Raw)
		if err != nil || got != want {
			t.Errorf("ParseKernel(%q) = %+v, %v; want %+v", want.Raw, got, err, want)
		}
	}
	for _, in := range []string{"", "generic", "-5.4", "5.4.0-", "5.4 0", "5.4.0-1\x1b[2J", "unknown", "5/4", "5.4.0;rm", strings.Repeat("5", 300)} {
		if got, err := ParseKernel(in); err == nil {
			t.Errorf("ParseKernel(%q) = %+v, want an error", in, got)
		}
	}
}

func TestKernelsAllPairs(t *testing.T) {
	var raw []string
	for _, k := range kernelRows {
		raw = append(raw, k.Raw)
	}
	ordered(t, append([]string{"no kernel", "unreadable"}, raw...), CompareKernels)
}

func TestSameFlavour(t *testing.T) {
	a, _ := ParseKernel("6.1.0-56-amd64")
	b, _ := ParseKernel("6.1.0-13-amd64")
	c, _ := ParseKernel("6.1.0-56-cloud-amd64")
	if !a.SameFlavour(b) || a.SameFlavour(c) {
		t.Error("amd64 and cloud-amd64 are two flavours")
	}
}

func TestParseVBox(t *testing.T) {
	for in, want := range map[string]VBox{
		"7.2.22_Debianr175245":      {Number: "7.2.22", Suffix: "Debian", Revision: 175245},
		"7.0.20r163906":             {Number: "7.0.20", Revision: 163906},
		"7.0.20 r163906":            {Number: "7.0.20", Revision: 163906},
		"6.1.26_Ubuntur145957":      {Number: "6.1.26", Suffix: "Ubuntu", Revision: 145957},
		"4.1.8r1234_OSE":            {Number: "4.1.8", Suffix: "OSE", Revision: 1234},
		"4.1.8_MacPortsr1234":       {Number: "4.1.8", Suffix: "MacPorts", Revision: 1234},
		"4.3.36_Ubuntu r105129":     {Number: "4.3.36", Suffix: "Ubuntu", Revision: 105129},
		"6.1.16_Ubuntu r140961\r\n": {Number: "6.1.16", Suffix: "Ubuntu", Revision: 140961},
		"7.2.22":                    {Number: "7.2.22"},
		"7.2.22_Debian":             {Number: "7.2.22", Suffix: "Debian"},
		"7.1.0_BETA1r164243":        {Number: "7.1.0", Suffix: "BETA1", Revision: 164243},
		"5.1.26r117224":             {Number: "5.1.26", Revision: 117224},
		"7.0.10_SUSEr158379":        {Number: "7.0.10", Suffix: "SUSE", Revision: 158379},
	} {
		got, err := ParseVBox(in)
		if err != nil || got.Number != want.Number || got.Suffix != want.Suffix || got.Revision != want.Revision {
			t.Errorf("ParseVBox(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if got.Raw != strings.TrimSpace(in) || got.String() != got.Raw {
			t.Errorf("Raw of %q = %q", in, got.Raw)
		}
	}
}

func TestParseVBoxErrorsNameWhatWasSeen(t *testing.T) {
	for _, in := range []string{"", "7.2", "WARNING: The vboxdrv kernel module is not loaded.", "7.2.22x", "7.2.22r", "v7.2.22", "7.2.22.1", "7.2.22 r1 r2", "7.2.22_Debianr99999999999", "<inaccessible>"} {
		_, err := ParseVBox(in)
		if err == nil || !strings.Contains(err.Error(), "VirtualBox version") || !strings.Contains(err.Error(), in) {
			t.Errorf("ParseVBox(%q) error = %v", in, err)
		}
	}
}

func TestVBoxAllPairs(t *testing.T) {
	table := []string{"4.1.8_MacPortsr1234", "4.3.6", "4.3.36_Ubuntu r105129", "5.1.26r117224", "6.1.16", "6.1.26_Ubuntur145957", "7.0.6", "7.0.20r163906", "7.2.2", "7.2.22_Debianr175245", "10.0.0"}
	ordered(t, table, func(a, b string) int {
		x, errX := ParseVBox(a)
		y, errY := ParseVBox(b)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		return x.Compare(y)
	})
}

func TestVBoxSeriesAndBuild(t *testing.T) {
	p := func(s string) VBox {
		v, err := ParseVBox(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if a, b := p("7.0.20 r163906"), p("7.0.6"); !a.SameSeries(b) || a.Series() != "7.0" {
		t.Error("7.0.20 and 7.0.6 are of series 7.0")
	}
	if a, b := p("7.2.22"), p("7.0.22"); a.SameSeries(b) {
		t.Error("7.2 and 7.0 are two series")
	}
	for _, c := range []struct {
		a, b        string
		same, known bool
	}{
		{"7.0.20 r163906", "7.0.20r163906", true, true}, {"7.0.20r1", "7.0.20r2", false, true},
		{"7.0.20", "7.0.20r2", false, false}, {"7.0.20", "7.0.6", false, true},
	} {
		if same, known := p(c.a).SameBuild(p(c.b)); same != c.same || known != c.known {
			t.Errorf("SameBuild(%s, %s) = %v, %v", c.a, c.b, same, known)
		}
	}
	if !p("7.1.0_BETA1r1").Test() || p("7.2.22_Debianr1").Test() {
		t.Error("BETA1 is a test build, Debian is not")
	}
	if (VBox{}).Compare(p("7.0.20")) != -1 || (VBox{}).Series() != "" || (VBox{}).SameSeries(p("7.0.20")) {
		t.Error("the zero VBox is older than any and panics nowhere")
	}
}
