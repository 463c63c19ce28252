package version

import (
	"cmp"
	"regexp"
	"strings"
)

const wantKernel = "what uname -r prints, such as 5.14.0-362.8.1.el9_3.x86_64 or 6.1.0-56-amd64"

// Kernel is a kernel release, the text of `uname -r`, taken apart.
type Kernel struct {
	Raw     string
	Version string // 5.14.0
	// Release is what orders kernels of one version: 362.8.1.el9_3, 56 of 6.1.0-56-amd64, arch1-1. May be empty.
	Release string
	// Arch is the suffix of rpm distributions (x86_64), empty elsewhere.
	Arch string
	// Flavour is the kind of kernel, which names its packages: uek, elrepo (ml or lt, the text does not tell),
	// amd64, cloud-amd64, generic, lts, default, pve, arch, debug, …; empty for the stock kernel of EL and Fedora.
	Flavour string
}

// variant matches EL's debug, rt and 64k builds, which stand after the architecture.
var variant = regexp.MustCompile(`^(.+)[.+]([A-Za-z][0-9A-Za-z_-]*|64k(?:-debug)?|16k)$`)

// archKernel matches Arch Linux' pkgver, whose flavour is glued to the number: arch1-1, zen1-1-zen.
var archKernel = regexp.MustCompile(`^(arch|zen|hardened)\d+$`)

// preRelease matches rc1 of 6.7-rc1.
var preRelease = regexp.MustCompile(`^rc\d+`)

// flavours are words that name a kind of kernel even where no number stands before them.
var flavours = map[string]bool{
	"amd64": true, "arm64": true, "armmp": true, "686": true, "pae": true, "cloud": true, "rt": true,
	"generic": true, "lowlatency": true, "hwe": true, "64k": true, "aws": true, "azure": true, "gcp": true,
	"oracle": true, "kvm": true, "raspi": true, "virtual": true, "server": true, "lts": true, "zen": true,
	"hardened": true, "default": true, "preempt": true, "vanilla": true, "desktop": true, "pve": true,
	"virt": true, "unsigned": true,
}

// ParseKernel reads a kernel release of any distribution. The error is a *MalformedError.
func ParseKernel(s string) (Kernel, error) {
	text := strings.TrimSpace(s)
	if !plainText(text) || !isDigit(text[0]) || strings.Trim(text, kernelChars) != "" || strings.HasSuffix(text, "-") {
		return Kernel{}, malformed("kernel release", text, wantKernel)
	}
	k := Kernel{Raw: text}
	body, arch, kind := cutKernelArch(text)
	version, rest, _ := strings.Cut(body, "-")
	version, plus, hasPlus := strings.Cut(version, "+")
	if strings.Trim(version, kernelVersionChars) != "" {
		return Kernel{}, malformed("kernel release", text, wantKernel)
	}
	k.Version, k.Arch = version, arch
	if arch != "" {
		k.Release, k.Flavour = rest, cmp.Or(kind, rpmFlavour(rest))
		return k, nil
	}
	k.Release, k.Flavour = cutFlavour(rest)
	if hasPlus {
		k.Release = strings.Trim(plus+"-"+k.Release, "-")
	}
	return k, nil
}

const (
	kernelChars        = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~^-"
	kernelVersionChars = "abcdefghijklmnopqrstuvwxyz0123456789._~^"
)

// cutKernelArch takes .x86_64, .x86_64+debug and .x86_64.debug off the end.
func cutKernelArch(s string) (body, arch, kind string) {
	if body, arch = cutArch(s); arch != "" {
		return body, arch, ""
	}
	if m := variant.FindStringSubmatch(s); m != nil {
		if body, arch = cutArch(m[1]); arch != "" {
			return body, arch, m[2]
		}
	}
	return s, "", ""
}

func rpmFlavour(release string) string {
	switch {
	case strings.HasSuffix(release, "uek"):
		return "uek"
	case strings.HasSuffix(release, ".elrepo"):
		return "elrepo"
	}
	return ""
}

// cutFlavour takes the words that name a kind of kernel off the end: 56-cloud-amd64 is release 56 of flavour
// cloud-amd64.
func cutFlavour(rest string) (release, flavour string) {
	parts := strings.Split(rest, "-")
	cut := len(parts)
	for cut > 0 && isFlavour(parts[cut-1], cut > 1 && parts[0] != "" && isDigit(parts[0][0])) {
		cut--
	}
	release, flavour = strings.Join(parts[:cut], "-"), strings.Join(parts[cut:], "-")
	if flavour == "" && archKernel.MatchString(parts[0]) {
		flavour = strings.TrimRight(parts[0], "0123456789")
	}
	return release, flavour
}

// isFlavour reports whether one word after a dash names a kind of kernel. After a numbered release any word
// does, else only known ones.
func isFlavour(word string, numbered bool) bool {
	if flavours[word] {
		return true
	}
	return numbered && word != "" && isAlpha(word[0]) && !preRelease.MatchString(word)
}

// String is the text that was parsed.
func (k Kernel) String() string { return k.Raw }

// Compare orders kernels by version, then release, both as rpm does (row 6.7-rc1 before 6.7), then by
// flavour, architecture and text, so that only the same text is equal: a total order.
func (k Kernel) Compare(o Kernel) int {
	return cmp.Or(
		RPMVerCmp(k.Version, o.Version),
		RPMVerCmp(k.sortRelease(), o.sortRelease()),
		strings.Compare(k.Flavour, o.Flavour),
		strings.Compare(k.Arch, o.Arch),
		strings.Compare(k.Raw, o.Raw),
	)
}

func (k Kernel) sortRelease() string {
	if preRelease.MatchString(k.Release) {
		return "~" + k.Release
	}
	return k.Release
}

// SameFlavour reports whether two kernels are of one kind, so that the newer one replaces the older one.
func (k Kernel) SameFlavour(o Kernel) bool { return k.Flavour == o.Flavour && k.Arch == o.Arch }

// CompareKernels orders two texts of uname -r. A text that is no kernel release is older than any that is;
// two such texts are ordered as text.
func CompareKernels(a, b string) int {
	x, errX := ParseKernel(a)
	y, errY := ParseKernel(b)
	switch {
	case errX != nil && errY != nil:
		return strings.Compare(a, b)
	case errX != nil:
		return -1
	case errY != nil:
		return 1
	}
	return x.Compare(y)
}
