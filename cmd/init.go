package cmd

import (
	"context"
	_ "embed" // the blocks that are written
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed init/trigger.rb
var triggerBlock string

//go:embed init/boxdoctor.yaml
var configStart string

//go:embed init/github.yml
var githubJob string

//go:embed init/gitlab.yml
var gitlabJob string

// The lines between which boxdoctor's part of a file stands.
const (
	blockBegin = "# >>> boxdoctor >>>"
	blockEnd   = "# <<< boxdoctor <<<"
)

// initOptions are those of `boxdoctor init`.
type initOptions struct {
	Remove, Yes, Halt bool
	CI                []string
}

const initLong = `Shows, and after a question writes, what makes a project use boxdoctor: a trigger at the end of the Vagrantfile that examines a
machine after ` + "`vagrant up`" + `, a .boxdoctor.yaml for waivers, and with --ci a job for GitHub Actions or GitLab. The trigger does nothing
where boxdoctor is not installed and never stops a teammate's up (--halt makes it). What is written stands between two marks; a second
run changes nothing, --remove takes it out again.`

const initExample = `  boxdoctor init                      the trigger and .boxdoctor.yaml
  boxdoctor init --ci github          also a job for GitHub Actions
  boxdoctor init --remove             take everything out again`

func newInitCmd(a *app, run func(context.Context, *initOptions) error) *cobra.Command {
	o := &initOptions{}
	c := &cobra.Command{
		Use: "init", Short: "Make a project use boxdoctor; --remove takes it out", Long: initLong, Example: initExample,
		Annotations: withExitCodes, Args: noWords,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(emptyFlag(c), allKnown("--ci", "CI system", o.CI, []string{"github", "gitlab"}, "github, gitlab")); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.Remove, "remove", false, "take out what init wrote")
	c.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.Halt, "halt", false, "let vagrant up fail when the examination does")
	c.Flags().StringSliceVar(&o.CI, "ci", nil, "also write a job for `SYSTEM` (github, gitlab); repeatable")
	return c
}

// fileEdit is a file as it is and as it shall be; gone: it shall not be there.
type fileEdit struct {
	path      string
	was, then string
	existed   bool
}

func (e fileEdit) changes() bool { return e.was != e.then }

// runInit shows the changes, asks, and makes them.
func (a *app) runInit(ctx context.Context, o *initOptions) error {
	root, err := a.vagrantfileDir()
	if err != nil {
		return err
	}
	edits, err := o.edits(root)
	if err != nil {
		return err
	}
	n := 0
	for _, e := range edits {
		if e.changes() {
			n++
			a.say(e.text())
		}
	}
	if n == 0 {
		a.say("boxdoctor: nothing to change")
		return nil
	}
	if !o.Yes {
		if !a.streams.CanAsk() {
			a.say("There is no terminal to ask on and --yes was not given: nothing was written.")
			return codeError(1)
		}
		yes, err := a.streams.Confirm(ctx, "Write this?")
		if err != nil || !yes {
			return err
		}
	}
	for _, e := range edits {
		if err := e.write(); err != nil {
			return err
		}
	}
	return nil
}

// vagrantfileDir is the folder of the project.
func (a *app) vagrantfileDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	path, err := findUpwards(dir, "Vagrantfile")
	if err == nil && path == "" {
		err = usagef("there is no Vagrantfile here or in a folder above").withHint("Make one first: vagrant init")
	}
	return filepath.Dir(path), err
}

// edits are all files that init has to do with. When it removes, all of them; else those that were asked for.
func (o *initOptions) edits(root string) ([]fileEdit, error) {
	block := triggerBlock
	if o.Halt {
		block = strings.Replace(block, "on_error = :continue", "on_error = :halt", 1)
	}
	files := []struct {
		name, block string
		wanted      bool
	}{
		{"Vagrantfile", block, true},
		{configFile, configStart, true},
		{".github/workflows/boxdoctor.yml", githubJob, o.wants("github")},
		{".gitlab/boxdoctor.yml", gitlabJob, o.wants("gitlab")},
	}
	var out []fileEdit
	for _, f := range files {
		if !f.wanted && !o.Remove {
			continue
		}
		e, err := edit(filepath.Join(root, filepath.FromSlash(f.name)), f.block, o.Remove)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (o *initOptions) wants(system string) bool {
	for _, s := range o.CI {
		if s == system {
			return true
		}
	}
	return false
}

// edit puts a block at the end of a file, in place of an older one, or takes it out. A file of the user's that has no
// block is only touched where it is Ruby: other files are left as they are when they exist.
func edit(path, block string, remove bool) (fileEdit, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileEdit{}, err
	}
	e := fileEdit{path: path, was: string(data), existed: err == nil}
	before, rest, found := strings.Cut(e.was, blockBegin)
	_, after, closed := strings.Cut(rest, blockEnd+"\n")
	if found && !closed {
		return e, usagef("%s: the line %q is missing, so it cannot be told where boxdoctor's part ends", path, blockEnd)
	}
	part := blockBegin + "\n" + block + blockEnd + "\n"
	switch {
	case remove && found:
		e.then = strings.TrimSuffix(before, "\n") + after
		if strings.TrimSpace(before) != "" && !strings.HasSuffix(e.then, "\n") {
			e.then += "\n"
		}
	case remove:
		e.then = e.was
	case found:
		e.then = before + part + after
	case !e.existed:
		e.then = part
	case filepath.Base(path) != "Vagrantfile":
		e.then = e.was
	default:
		e.then = strings.TrimRight(e.was, "\n") + "\n\n" + part
	}
	return e, nil
}

// text is what a person is shown.
func (e fileEdit) text() string {
	switch {
	case e.then == "":
		return "remove " + e.path
	case len(e.then) < len(e.was):
		return "take boxdoctor's part out of " + e.path
	case !e.existed:
		return "write " + e.path + ":\n" + e.then
	}
	return "add to " + e.path + ":\n" + e.then[strings.Index(e.then, blockBegin):]
}

// write makes the change; the file keeps its mode.
func (e fileEdit) write() error {
	switch {
	case !e.changes():
		return nil
	case strings.TrimSpace(e.then) == "":
		return os.Remove(e.path)
	}
	if err := os.MkdirAll(filepath.Dir(e.path), 0o755); err != nil {
		return err
	}
	err := writeAtomic(e.path, func(w io.Writer) error { _, err := io.WriteString(w, e.then); return err })
	if err != nil {
		return fmt.Errorf("nothing of %s was changed: %w", e.path, err)
	}
	return nil
}
