package cmd

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/report"
)

const completionExample = `  source <(boxdoctor completion bash)
  boxdoctor completion zsh >"${fpath[1]}/_boxdoctor"
  boxdoctor completion fish >~/.config/fish/completions/boxdoctor.fish
  boxdoctor completion powershell | Out-String | Invoke-Expression`

func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

func newCompletionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print a completion script for a shell", Example: completionExample,
		Long:      "Prints a script that completes the commands, flags and check ids of boxdoctor. SHELL is " + strings.Join(shells(), ", ") + ".",
		ValidArgs: shells(),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("completion needs one SHELL: %s", strings.Join(shells(), ", "))
			}
			return writeCompletion(a, c.Root(), args[0])
		},
	}
}

func writeCompletion(a *app, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.streams.Out, true)
	case "zsh":
		return root.GenZshCompletion(a.streams.Out)
	case "fish":
		return root.GenFishCompletion(a.streams.Out, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(a.streams.Out)
	}
	e := unknown("shell", shell, shells())
	e.text += "; known are " + strings.Join(shells(), ", ")
	return e
}

// completeIDs completes the values of the flags that take ids and formats. The flags exist: their names are ours.
func completeIDs(c *cobra.Command) {
	ids := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return append(checkIDs(), areas()...), cobra.ShellCompDirectiveNoFileComp
	}
	for _, flag := range []string{"only", "skip"} {
		if c.Flags().Lookup(flag) != nil {
			_ = c.RegisterFlagCompletionFunc(flag, ids)
		}
	}
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(report.Formats(), cobra.ShellCompDirectiveNoFileComp))
}
