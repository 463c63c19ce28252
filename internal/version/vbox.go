package version

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	goversion "github.com/hashicorp/go-version"
)

const wantVBox = "x.y.z with an optional suffix and revision, such as 7.0.20r163906 or 7.2.22_Debianr175245"

// VBox is a version of VirtualBox or of its Guest Additions, as VBoxManage, VBoxControl, VBoxService and
// modinfo write it.
type VBox struct {
	Raw string
	// Number is x.y.z, the only part that is ordered.
	Number string
	// Suffix names the distributor or a test build (Debian, Ubuntu, MacPorts, OSE, BETA1, …); may be empty.
	Suffix string
	// Revision is the number after r; 0 when the text had none.
	Revision int

	number *goversion.Version
}

var vbox = regexp.MustCompile(`^(\d{1,4}\.\d{1,4}\.\d{1,6})((?:[_-][0-9A-Za-z.+~-]*?)?)(?: ?r(\d{1,9}))?((?:[_-][A-Za-z]+)?)$`)

// longRevision is a revision with more digits than any: left in the suffix by the pattern above.
var longRevision = regexp.MustCompile(`r\d+$`)

// ParseVBox reads 7.2.22_Debianr175245, 7.0.20r163906, `7.0.20 r163906`, `4.3.36_Ubuntu r105129`,
// 4.1.8r1234_OSE, 4.1.8_MacPortsr1234 and 7.2.22. The error is a *MalformedError.
func ParseVBox(s string) (VBox, error) {
	text := strings.TrimSpace(s)
	m := vbox.FindStringSubmatch(text)
	if m == nil || len(text) > maxLen || longRevision.MatchString(m[2]) {
		return VBox{}, malformed("VirtualBox version", text, wantVBox)
	}
	n, err := goversion.NewVersion(m[1])
	if err != nil {
		return VBox{}, malformed("VirtualBox version", text, wantVBox)
	}
	v := VBox{Raw: text, Number: m[1], number: n}
	v.Suffix = strings.Trim(m[2]+m[4], "_-")
	v.Revision, _ = strconv.Atoi(m[3]) // at most nine digits; empty gives 0
	return v, nil
}

// String is the text that was parsed.
func (v VBox) String() string { return v.Raw }

// Compare orders by Number only: suffix and revision say who built it, not how new it is. Both must come
// from ParseVBox.
func (v VBox) Compare(o VBox) int { return v.order().Compare(o.order()) }

// noVersion stands for a VBox that ParseVBox did not make, so that nothing panics.
var noVersion = goversion.Must(goversion.NewVersion("0.0.0"))

func (v VBox) order() *goversion.Version { return cmp.Or(v.number, noVersion) }

// Series is major.minor: what Vagrant compares and what Guest Additions must share with VirtualBox.
func (v VBox) Series() string {
	if i := strings.LastIndexByte(v.Number, '.'); i >= 0 {
		return v.Number[:i]
	}
	return v.Number
}

// Major is the first number.
func (v VBox) Major() int { return v.order().Segments()[0] }

// SameSeries reports whether major and minor agree.
func (v VBox) SameSeries(o VBox) bool {
	a, b := v.order().Segments(), o.order().Segments()
	return a[0] == b[0] && a[1] == b[1]
}

// SameBuild reports whether both are one build. known is false when a revision is missing and the numbers
// agree: then it cannot be told. Only meaningful inside one guest (running module against VBoxControl).
func (v VBox) SameBuild(o VBox) (same, known bool) {
	if v.Compare(o) != 0 {
		return false, true
	}
	if v.Revision == 0 || o.Revision == 0 {
		return false, false
	}
	return v.Revision == o.Revision, true
}

// Test reports whether it is a test build (BETA, RC, ALPHA), which Vagrant does not support.
func (v VBox) Test() bool {
	s := strings.ToUpper(v.Suffix)
	return strings.HasPrefix(s, "BETA") || strings.HasPrefix(s, "RC") || strings.HasPrefix(s, "ALPHA")
}
