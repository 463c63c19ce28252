package knowledge

import (
	"fmt"
	"regexp"
	"slices"
	"sync"

	goversion "github.com/hashicorp/go-version"
)

// Driver is the first Vagrant that accepts a series of VirtualBox.
type Driver struct {
	VirtualBox string `yaml:"virtualbox"`
	Vagrant    string `yaml:"vagrant"`
	Date       string `yaml:"date"`
	Source     string `yaml:"source"`
}

// HostRule says when a row of the host catalogue can happen at all. Empty fields do not matter.
type HostRule struct {
	Row        string   `yaml:"row"`
	OS         []string `yaml:"os"`
	VirtualBox string   `yaml:"virtualbox"`
	Vagrant    string   `yaml:"vagrant"`
	Kernel     string   `yaml:"kernel"`
	Ruby       string   `yaml:"ruby"`
	Date       string   `yaml:"date"`
	Source     string   `yaml:"source"`
}

// HostVersions are what the rules look at; an empty version is not known.
type HostVersions struct{ OS, VirtualBox, Vagrant, Kernel, Ruby string }

type hostFile struct {
	Drivers []Driver   `yaml:"drivers"`
	Rules   []HostRule `yaml:"rules"`
}

// hostRules reads the file on first use; the package's test catches a malformed one.
var hostRules = sync.OnceValue(func() hostFile {
	var f hostFile
	text, err := files.ReadFile("data/host.yaml")
	if err == nil {
		err = decode("host.yaml", text, &f)
	}
	if err == nil {
		err = f.validate()
	}
	if err != nil {
		panic(err)
	}
	return f
})

// Prepare reads the tables that judge a host, so that it can be done while a machine is waited for.
func Prepare() { hostRules() }

func (f hostFile) validate() error {
	for _, d := range f.Drivers {
		if d.VirtualBox == "" || d.Vagrant == "" || d.Date == "" || d.Source == "" {
			return fmt.Errorf("host.yaml: driver %q: all four fields are required", d.VirtualBox)
		}
	}
	for _, r := range f.Rules {
		if r.Row == "" || r.Date == "" || r.Source == "" {
			return fmt.Errorf("host.yaml: rule %q: row, date and source are required", r.Row)
		}
		for _, c := range []string{r.VirtualBox, r.Vagrant, r.Kernel, r.Ruby} {
			if _, err := goversion.NewConstraint(c); c != "" && err != nil {
				return fmt.Errorf("host.yaml: rule %s: %w", r.Row, err)
			}
		}
	}
	return nil
}

// Drivers are the series of VirtualBox that some Vagrant accepts, oldest first.
func Drivers() []Driver { return hostRules().Drivers }

// DriverFor is the first Vagrant that accepts a series such as 7.2.
func DriverFor(series string) (Driver, bool) {
	i := slices.IndexFunc(Drivers(), func(d Driver) bool { return d.VirtualBox == series })
	if i < 0 {
		return Driver{}, false
	}
	return Drivers()[i], true
}

// HostRow tells whether a row can happen with these versions. missing names the version that would have to be known to
// say so ("vagrant", "virtualbox", "kernel", "ruby"); then applies means nothing. A row without rules always can.
func HostRow(row string, v HostVersions) (applies bool, missing string) {
	any := false
	for _, r := range hostRules().Rules {
		if r.Row != row {
			continue
		}
		any = true
		fits, lack := r.fits(v)
		if fits {
			return true, ""
		}
		if lack != "" {
			missing = lack
		}
	}
	return !any, missing
}

// fits compares. A part that surely does not fit counts before one that is not known.
func (r HostRule) fits(v HostVersions) (ok bool, missing string) {
	switch {
	case len(r.OS) > 0 && v.OS == "":
		return false, "operating system"
	case len(r.OS) > 0 && !slices.Contains(r.OS, v.OS):
		return false, ""
	}
	for _, part := range []struct{ name, want, have string }{
		{"virtualbox", r.VirtualBox, v.VirtualBox}, {"vagrant", r.Vagrant, v.Vagrant}, {"kernel", r.Kernel, v.Kernel}, {"ruby", r.Ruby, v.Ruby},
	} {
		if part.want == "" {
			continue
		}
		have, known := plainVersion(part.have)
		switch {
		case !known:
			missing = part.name
		case !goversion.MustConstraints(goversion.NewConstraint(part.want)).Check(have):
			return false, ""
		}
	}
	return missing == "", missing
}

var leadingNumber = regexp.MustCompile(`^\d{1,5}(\.\d{1,6}){0,3}`)

// plainVersion takes the numbers at the beginning: kernels and packages say more after them.
func plainVersion(s string) (*goversion.Version, bool) {
	v, err := goversion.NewVersion(leadingNumber.FindString(s))
	return v, err == nil
}
