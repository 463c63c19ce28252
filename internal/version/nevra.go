package version

import (
	"strconv"
	"strings"
)

const wantNEVRA = "name-[epoch:]version-release[.arch], such as kernel-devel-5.14.0-362.8.1.el9_3.x86_64"

// NEVRA is one rpm package: name, epoch, version, release and architecture.
type NEVRA struct {
	Name string
	EVR
	Arch string // empty when the text had none
}

// archs are the architectures that may end a package name or a kernel release. A closed list, because in
// kernel-2.6.32-358.23.2.el6 the part after the last dot is not an architecture.
var archs = map[string]bool{
	"x86_64": true, "noarch": true, "i386": true, "i486": true, "i586": true, "i686": true, "athlon": true,
	"aarch64": true, "armv7hl": true, "armv6hl": true, "ppc": true, "ppc64": true, "ppc64le": true,
	"s390": true, "s390x": true, "ia64": true, "riscv64": true, "loongarch64": true, "src": true, "nosrc": true,
}

// ParseNEVRA reads `kernel-devel-0:5.14.0-362.8.1.el9_3.x86_64`, the same without epoch or architecture, and
// yum's form with the epoch first. A final .rpm is cut. The error is a *MalformedError.
func ParseNEVRA(s string) (NEVRA, error) {
	text := strings.TrimSuffix(strings.TrimSpace(s), ".rpm")
	if !plainText(text) || strings.ContainsAny(text, "/*?[]") {
		return NEVRA{}, malformed("package", text, wantNEVRA)
	}
	body, arch := cutArch(text)
	lead, body := cutLeadingEpoch(body)
	name, evr, ok := cutName(body)
	if !ok {
		return NEVRA{}, malformed("package", text, wantNEVRA)
	}
	e, err := ParseEVR(lead + evr)
	if err != nil || e.Release == "" {
		return NEVRA{}, malformed("package", text, wantNEVRA)
	}
	return NEVRA{Name: name, EVR: e, Arch: arch}, nil
}

// cutArch takes a known architecture off the end.
func cutArch(s string) (body, arch string) {
	if i := strings.LastIndexByte(s, '.'); i > 0 && archs[s[i+1:]] {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// cutLeadingEpoch takes `0:` off the head; the epoch keeps its colon.
func cutLeadingEpoch(s string) (epoch, rest string) {
	if i := strings.IndexByte(s, ':'); i > 0 && allDigits(s[:i]) {
		return s[:i+1], s[i+1:]
	}
	return "", s
}

// cutName splits name-version-release at the last but one dash.
func cutName(s string) (name, evr string, ok bool) {
	rel := strings.LastIndexByte(s, '-')
	if rel <= 0 {
		return "", "", false
	}
	ver := strings.LastIndexByte(s[:rel], '-')
	if ver <= 0 {
		return "", "", false
	}
	name, evr = s[:ver], s[ver+1:]
	return name, evr, !strings.ContainsRune(name, ':')
}

// String is name-[epoch:]version-release.arch without a zero epoch: what rpm -q prints and yum installs.
func (n NEVRA) String() string {
	s := n.Name + "-" + n.EVR.String()
	if n.Arch != "" {
		s += "." + n.Arch
	}
	return s
}

// MatchesSpec reports whether a pattern on a package manager's command line or in an exclude names the
// package: the pattern is matched against name, name.arch and the forms with version, with and without epoch.
func (n NEVRA) MatchesSpec(pattern string) bool {
	e := strconv.Itoa(n.Epoch) + ":"
	vr := n.Version + "-" + n.Release
	for _, form := range []string{
		n.Name, n.Name + "." + n.Arch, n.Name + "-" + n.Version, n.Name + "-" + e + n.Version,
		n.Name + "-" + vr, n.Name + "-" + vr + "." + n.Arch, n.Name + "-" + e + vr,
		n.Name + "-" + e + vr + "." + n.Arch, e + n.Name + "-" + vr + "." + n.Arch,
	} {
		if Glob(pattern, form) {
			return true
		}
	}
	return false
}
