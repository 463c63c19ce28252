package knowledge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// LogAgents is what a guest's system can have as its log agent.
type LogAgents struct {
	// IDs are os-release IDs, Versions a constraint on the system's version.
	IDs        []string  `yaml:"id"`
	Versions   string    `yaml:"versions"`
	FluentBit  FluentBit `yaml:"fluent_bit"`
	Rsyslog    Rsyslog   `yaml:"rsyslog"`
	Source     string    `yaml:"source"`
	Confidence string    `yaml:"confidence"`
	Date       string    `yaml:"date"`

	versions constraint
}

// FluentBit is where its packages are; Why says that there are none.
type FluentBit struct {
	Repository string `yaml:"repository"`
	Kafka      bool   `yaml:"kafka"`
	Why        string `yaml:"why"`
}

// Rsyslog is the version that the distribution has; Why says that it is of no use.
type Rsyslog struct {
	Version string `yaml:"version"`
	Why     string `yaml:"why"`
}

// logAgents are all rows. They are read on first use; a malformed file is caught by the package's test.
var logAgents = sync.OnceValue(func() []LogAgents {
	rows, err := readLogAgents()
	if err != nil {
		panic(err)
	}
	return rows
})

func readLogAgents() ([]LogAgents, error) {
	const name = "data/logagents.yaml"
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f struct {
		Agents []LogAgents `yaml:"agents"`
	}
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range f.Agents {
		if err := f.Agents[i].finish(); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, i+1, err)
		}
	}
	return f.Agents, nil
}

func (a *LogAgents) finish() error {
	var err error
	a.versions, err = parseConstraint("", cmp.Or(a.Versions, "*"))
	switch {
	case err != nil:
		return err
	case len(a.IDs) == 0 || a.Source == "" || a.Date == "" || a.Rsyslog.Version == "":
		return fmt.Errorf("id, source, date and rsyslog's version are wanted")
	case !slices.Contains([]string{"vendor", "measured", "likely"}, a.Confidence):
		return fmt.Errorf("confidence %q is not vendor, measured or likely", a.Confidence)
	case (a.FluentBit.Repository == "") != (a.FluentBit.Why != ""):
		return fmt.Errorf("fluent_bit has a repository, or a reason why it has none")
	}
	return nil
}

// LogAgentsFor is the row of a system, and whether there is one.
func LogAgentsFor(id, version, codename string) (LogAgents, bool) {
	for _, a := range logAgents() {
		if !slices.Contains(a.IDs, id) || !comparable("", version) || !a.versions.has("", version) {
			continue
		}
		major, _, _ := strings.Cut(version, ".")
		a.FluentBit.Repository = strings.NewReplacer("{major}", major, "{codename}", codename).Replace(a.FluentBit.Repository)
		return a, true
	}
	return LogAgents{}, false
}
