package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/boxdoctor/boxdoctor/internal/report"
)

// helpWidth is fixed, so that the help is the same everywhere and a test can freeze it.
const helpWidth = 100

// exitsAnnotation marks the commands whose help carries the exit-code table.
const exitsAnnotation = "exit-codes"

var withExitCodes = map[string]string{exitsAnnotation: "yes"}

// helpText is examples first, then the options: most people came for a line to copy.
func helpText(c *cobra.Command) string {
	c.InitDefaultHelpFlag() // else only there when the command itself is run
	long := strings.ReplaceAll(strings.TrimSpace(c.Long), "\n", " ")
	var b strings.Builder
	b.WriteString(strings.Join(report.Wrap(long, helpWidth), "\n") + "\n")
	section(&b, "Examples", c.Example)
	section(&b, "Usage", "  "+strings.Join(usageLines(c), "\n  "))
	section(&b, "Commands", commandList(c))
	section(&b, "Flags", flagList(c.NonInheritedFlags()))
	section(&b, "Flags of every command", flagList(c.InheritedFlags()))
	if c.Annotations[exitsAnnotation] != "" {
		section(&b, "Exit codes", exitCodeHelp())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nMore about a command: %s COMMAND --help\n", c.CommandPath())
	}
	return b.String()
}

// flagList is the flag library's list; its word for a flag that is counted says nothing to people.
func flagList(fs *pflag.FlagSet) string {
	return strings.ReplaceAll(fs.FlagUsagesWrapped(helpWidth), "--verbose count", "--verbose      ")
}

func section(b *strings.Builder, title, body string) {
	if body = strings.Trim(body, "\n"); strings.TrimSpace(body) != "" {
		fmt.Fprintf(b, "\n%s:\n%s\n", title, body)
	}
}

func usageLines(c *cobra.Command) []string {
	lines := []string{c.UseLine()}
	if c.HasAvailableSubCommands() {
		lines = append(lines, c.CommandPath()+" COMMAND")
	}
	return lines
}

func commandList(c *cobra.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-12s %s\n", sub.Name(), sub.Short)
		}
	}
	return b.String()
}

// newHelpCmd is `boxdoctor help COMMAND`; an unknown command is a usage error here too.
func newHelpCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		Long:  "Shows the help of a command; the same as boxdoctor COMMAND --help.",
		RunE: func(c *cobra.Command, args []string) error {
			target := c.Root()
			for _, word := range args {
				next := find(target, word)
				if next == nil {
					return unknown("command", word, commandNames(target))
				}
				target = next
			}
			return a.print(helpText(target))
		},
	}
}

func find(c *cobra.Command, word string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == word {
			return sub
		}
	}
	return nil
}

func commandNames(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return names
}
