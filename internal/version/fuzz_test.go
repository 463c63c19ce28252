package version

import "testing"

// antisymmetric is what every comparison owes its callers.
func antisymmetric(t *testing.T, ab, ba int, a, b string) {
	t.Helper()
	if ab != -ba {
		t.Errorf("compare(%q, %q) = %d but the other way round %d", a, b, ab, ba)
	}
}

func FuzzRPMVerCmp(f *testing.F) {
	f.Add("1.0~rc1", "1.0^git", "1.0")
	f.Add("362.8.1.el9_3", "362.el9", "a")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		antisymmetric(t, RPMVerCmp(a, b), RPMVerCmp(b, a), a, b)
		if RPMVerCmp(a, b) <= 0 && RPMVerCmp(b, c) <= 0 && RPMVerCmp(a, c) > 0 {
			t.Errorf("not transitive: %q %q %q", a, b, c)
		}
	})
}

func FuzzParseEVR(f *testing.F) {
	f.Add("0:1.2-3.el7")
	f.Add("(none):1.2-3")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEVR(s)
		if err != nil {
			return
		}
		again, err := ParseEVR(e.String())
		if err != nil || again != e {
			t.Errorf("%q: %+v does not survive its own text: %+v, %v", s, e, again, err)
		}
	})
}

func FuzzParseNEVRA(f *testing.F) {
	f.Add("kernel-devel-0:5.14.0-362.8.1.el9_3.x86_64")
	f.Add("32:bind-9.11.4-26.P2.el7.x86_64.rpm")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNEVRA(s)
		if err != nil {
			return
		}
		again, err := ParseNEVRA(n.String())
		if err != nil || again != n {
			t.Errorf("%q: %+v does not survive its own text: %+v, %v", s, n, again, err)
		}
		if !n.MatchesSpec(n.Name) {
			t.Errorf("%+v does not match its own name", n)
		}
	})
}

func FuzzParseLock(f *testing.F) {
	f.Add("0:kernel-devel-3.10.0-1127.el7.*", "kernel-devel-3.10.0-1127.el7.x86_64")
	f.Add("!kernel-devel-0:5.14.0-1.el9.*", "kernel-devel-5.14.0-1.el9.x86_64")
	f.Fuzz(func(t *testing.T, entry, pkg string) {
		p, _ := ParseNEVRA(pkg)
		for _, d := range []Dialect{Yum, DNF} {
			l, err := ParseLock(entry, d)
			if err != nil {
				continue
			}
			if l.Matches(p) && !l.Concerns(p.Name) {
				t.Errorf("%q matches %q without concerning its name", entry, pkg)
			}
			Blocked([]Lock{l}, p)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("a*[!b-c]?", "axyz")
	f.Add("[", "[")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if Glob(pattern, s) && !Glob("*"+pattern+"*", "x"+s+"x") {
			t.Errorf("%q matches %q but not with stars around it", pattern, s)
		}
	})
}

func FuzzParseKernel(f *testing.F) {
	for _, k := range kernelRows {
		f.Add(k.Raw, "6.1.0-56-amd64")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		antisymmetric(t, CompareKernels(a, b), CompareKernels(b, a), a, b)
		if k, err := ParseKernel(a); err == nil && (k.Version == "" || CompareKernels(a, k.Raw) != 0) {
			t.Errorf("%q parses as %+v", a, k)
		}
	})
}

func FuzzParseVBox(f *testing.F) {
	f.Add("7.2.22_Debianr175245", "4.1.8r1234_OSE")
	f.Add("4.3.36_Ubuntu r105129", "7.2.22")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := ParseVBox(a)
		y, errY := ParseVBox(b)
		if errX != nil || errY != nil {
			return
		}
		antisymmetric(t, x.Compare(y), y.Compare(x), a, b)
		if x.Compare(y) == 0 && !x.SameSeries(y) {
			t.Errorf("%q and %q are equal but of different series", a, b)
		}
	})
}
