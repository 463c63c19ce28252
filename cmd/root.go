package cmd

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/boxdoctor/boxdoctor/internal/nearest"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

const rootLong = `boxdoctor examines Vagrant machines in VirtualBox over SSH, finds the one cause behind shared folders that
do not mount and Guest Additions that do not run, and repairs it.`

const rootExample = `  boxdoctor                        examine this computer and every running machine of the project
  boxdoctor fix --dry-run          show every command that a repair would run
  boxdoctor fix                    repair, asking before each stage
  boxdoctor undo                   take back what the last repair changed
  boxdoctor demo                   see all of it on a built-in sick machine
  boxdoctor explain mount.shares   why a check matters and how it looks
  boxdoctor explain up.log         the root cause in what Vagrant or a log said`

// newRoot builds the whole command tree. `boxdoctor` without a word is `boxdoctor check`.
func newRoot(a *app) *cobra.Command {
	check := newCheckCmd(a, a.runCheck)
	root := &cobra.Command{
		Use: "boxdoctor", Long: rootLong, Example: rootExample, Annotations: withExitCodes,
		SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true,
		Args: noUnknownWord,
		RunE: check.RunE,
	}
	root.Flags().AddFlagSet(check.Flags())
	root.AddCommand(check, newFixCmd(a, a.runFix), newUpCmd(a, a.runUp), newInitCmd(a, a.runInit), newUndoCmd(a, a.runUndo), newDemoCmd(a, a.runDemo), newListCmd(a), newExplainCmd(a), newKnowledgeCmd(a), newProvisionCmd(a, a.runProvision), newPsCmd(a, a.runPs),
		newBoxCmd(a), newISOCmd(a), newVersionCmd(a), newCompletionCmd(a))
	root.SetHelpCommand(newHelpCmd(a))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(a.streams.Out)
	root.SetErr(a.streams.Err)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { _ = a.print(helpText(c)) })
	root.SetFlagErrorFunc(flagError)
	addColor(a, root)
	return root
}

// addColor adds --color, which holds for every command and so is read before any of them runs.
func addColor(a *app, root *cobra.Command) {
	color := root.PersistentFlags().String("color", string(term.ColorAuto), "colour: `WHEN` is "+strings.Join(term.ColorModes(), ", "))
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if err := a.streams.SetColor(term.ColorMode(*color)); err != nil {
			return usagef("--color: %v", err)
		}
		return nil
	}
}

// noUnknownWord refuses words after boxdoctor that are no command. Somebody who meant a machine is told how.
func noUnknownWord(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := unknown("command", args[0], commandNames(c))
	if e.hint == "" {
		e.hint = "Commands: " + strings.Join(commandNames(c), ", ")
	}
	return e.withHint("%s\nTo examine a machine of that name: boxdoctor check %s", e.hint, args[0])
}

// noWords refuses words after a command that takes none.
func noWords(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no words, but got %q", c.CommandPath(), args[0]).withHint("Help: %s --help", c.CommandPath())
	}
	return nil
}

// flagError turns what the flag parser says into a usage error with the nearest flag.
func flagError(c *cobra.Command, err error) error {
	e := usagef("%v", err)
	word, isUnknown := strings.CutPrefix(err.Error(), "unknown flag: ")
	if near := nearest.Of(word, flagNames(c)); isUnknown && near != "" {
		return e.withHint("Did you mean %s?", near)
	}
	return e.withHint("Help: %s --help", c.CommandPath())
}

func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return names
}
