package cmd

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/spf13/pflag"

	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// configEnv overrides the configuration folder, for tests and for people who keep it elsewhere.
const configEnv = "BOXDOCTOR_CONFIG_HOME"

// knowledgeFlags say where signatures beside the built-in ones lie.
type knowledgeFlags struct{ Dirs []string }

func (f *knowledgeFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.Dirs, "knowledge", nil, "also use the signatures in the files `DIR`/*.yaml; repeatable")
}

// use makes everything that is judged afterwards know the user's signatures too. What was named must be right; files that
// were only found are left out and named when they are not, so that no text is lost over them.
func (f *knowledgeFlags) use(a *app) error {
	var named, found []knowledge.Folder
	for _, dir := range f.Dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return usagef("--knowledge %s: this is no folder", dir)
		}
		named = append(named, knowledge.Folder{Path: dir})
	}
	config := cmp.Or(a.getenv(configEnv), filepath.Join(xdg.ConfigHome, "boxdoctor"))
	found = append(found, knowledge.Folder{Path: filepath.Join(config, "knowledge")})
	if project := projectFolder(a.getenv); project != "" {
		found = append(found, knowledge.Folder{Path: filepath.Join(project, ".boxdoctor", "knowledge"), Words: true})
	}
	found = slices.DeleteFunc(found, func(k knowledge.Folder) bool { info, err := os.Stat(k.Path); return err != nil || !info.IsDir() })
	if len(named)+len(found) == 0 {
		knowledge.Use(nil) // what is embedded, which is read when a text is to be judged
		return nil
	}
	base, err := knowledge.Embedded().With(named...)
	if err != nil {
		return usagef("--knowledge: %v", err)
	}
	base, err = base.With(found...)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			a.say("boxdoctor: this file of signatures is left out: " + report.Clean(line))
		}
	}
	knowledge.Use(base)
	return nil
}

// projectFolder is the folder upwards from the current one that has a Vagrantfile, or empty.
func projectFolder(getenv func(string) string) string {
	dir, err := filepath.Abs(cmp.Or(getenv("VAGRANT_CWD"), "."))
	if err != nil {
		return ""
	}
	name := cmp.Or(getenv("VAGRANT_VAGRANTFILE"), "Vagrantfile")
	for {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}
