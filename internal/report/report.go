// Package report renders a finished finding.Report for people (text), programs (json) and CI systems (junit, github). Renderers
// decide nothing and sort nothing: verdicts, order, totals and the exit code come with the report.
package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// Reporter writes one report. Errors are those of the writer.
type Reporter interface {
	Report(w io.Writer, r finding.Report) error
}

// The known formats.
const (
	FormatText = "text"
	FormatJSON = "json"
	// FormatJUnit and FormatGitHub are for CI systems.
	FormatJUnit  = "junit"
	FormatGitHub = "github"
)

// Formats lists the names that New knows, in the order of the help text.
func Formats() []string { return []string{FormatText, FormatJSON, FormatJUnit, FormatGitHub} }

// Painter colours words; implemented by term.Palette. Every word is also readable without it.
type Painter interface {
	Good(string) string
	Bad(string) string
	Warn(string) string
	Dim(string) string
	Strong(string) string
	Command(string) string
}

// Options say how to render. The zero value is the plain report of `check`.
type Options struct {
	// Fix says that the report is that of `fix`: actions, and a table of before and after.
	Fix bool
	// Verbose shows every finding with its duration and how it was looked; Quiet shows one line per failure.
	Verbose, Quiet bool
	// Strict shows warnings where only failures are shown, because they decide the exit code.
	Strict bool
	// Width is the number of columns of text; zero means 80. Commands are never broken.
	Width int
	// ASCII replaces characters beyond ASCII in texts (not in commands).
	ASCII bool
	// Paint colours; nil: no colour.
	Paint Painter
	// Looks says how a check looks at a machine, Impact what a fix does to it ("reboots the guest"); nil: not shown.
	Looks  func(check string) string
	Impact func(fix string) string
	// Flags are the quoted flags that reach the same machines again (--ssh …), added to suggested commands.
	// NoNames leaves machine names out of them, because the flags already say which machine is meant.
	Flags   string
	NoNames bool
	// Timeout is what the examination of a machine was limited to; next asks for more when that was too little.
	Timeout time.Duration
	// Group gives the lines around a machine that make it a group in the log of a CI system, and Plain is a text that
	// commands that system nothing; nil: there is none.
	Group func(name string) (opening, closing string)
	Plain func(text string) string
	// NoNext leaves out the last line, which says what to do next.
	NoNext bool
}

// UnknownFormatError names a format that does not exist.
type UnknownFormatError struct{ Format string }

// Error lists the known formats.
func (e *UnknownFormatError) Error() string {
	return fmt.Sprintf("unknown format %q; known formats are %s", e.Format, strings.Join(Formats(), ", "))
}

// New returns the renderer of a format. Error: *UnknownFormatError.
func New(format string, o Options) (Reporter, error) {
	switch format {
	case FormatText:
		return Text{o}, nil
	case FormatJSON:
		return JSON{Fix: o.Fix}, nil
	case FormatJUnit:
		return JUnit{o}, nil
	case FormatGitHub:
		return GitHub{o}, nil
	}
	return nil, &UnknownFormatError{format}
}
