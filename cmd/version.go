package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildVersion is what the Go tool wrote into the program.
type buildVersion struct {
	// Version is the module's version, "devel" when it was built from a folder.
	Version string
	// Revision is the commit, empty when unknown; Modified says that the folder differed from it.
	Revision string
	Modified bool
	Time     string
}

func readBuildVersion() buildVersion {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return buildVersion{Version: "devel"}
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) buildVersion {
	v := buildVersion{Version: info.Main.Version}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		case "vcs.time":
			v.Time = s.Value
		}
	}
	return v
}

// String is one line: version, commit, compiler, system.
func (v buildVersion) String() string {
	s := "boxdoctor " + v.Version
	if v.Revision != "" {
		s += fmt.Sprintf(" (commit %.12s", v.Revision)
		if v.Modified {
			s += ", modified"
		}
		if v.Time != "" {
			s += ", " + v.Time
		}
		s += ")"
	}
	return fmt.Sprintf("%s, %s, %s/%s", s, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version of boxdoctor", Args: noWords,
		Long:    "Shows the version and commit of boxdoctor, the Go version it was built with, and the system it runs on.",
		Example: "  boxdoctor version",
		RunE:    func(*cobra.Command, []string) error { return a.print(a.version.String() + "\n") },
	}
}
