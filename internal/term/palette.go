package term

import (
	"fmt"
	"strings"

	"github.com/fatih/color"
)

// ColorMode is the value of --color.
type ColorMode string

// The three colour modes.
const (
	ColorAuto   ColorMode = "auto"
	ColorAlways ColorMode = "always"
	ColorNever  ColorMode = "never"
)

// ColorModes lists the known modes, for help and errors.
func ColorModes() []string {
	return []string{string(ColorAuto), string(ColorAlways), string(ColorNever)}
}

// Palette colours words for one writer. The zero value leaves words as they are. Colour never carries a
// meaning of its own: the word is always there too.
type Palette struct{ good, bad, warn, dim, strong, command *color.Color }

// NewPalette returns a palette that colours or does not. Each of its instances is told so explicitly: an
// instance that is not would follow a global of the colour library that looks at standard output only.
func NewPalette(enabled bool) Palette {
	mk := func(a ...color.Attribute) *color.Color {
		c := color.New(a...)
		if enabled {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c
	}
	return Palette{
		good: mk(color.FgGreen), bad: mk(color.FgRed, color.Bold), warn: mk(color.FgYellow),
		dim: mk(color.Faint), strong: mk(color.Bold), command: mk(color.FgCyan),
	}
}

// Good is for what is healthy.
func (p Palette) Good(s string) string { return paint(p.good, s) }

// Bad is for what is broken.
func (p Palette) Bad(s string) string { return paint(p.bad, s) }

// Warn is for warnings and unknown results.
func (p Palette) Warn(s string) string { return paint(p.warn, s) }

// Dim is for what matters less.
func (p Palette) Dim(s string) string { return paint(p.dim, s) }

// Strong is for names of machines and headings.
func (p Palette) Strong(s string) string { return paint(p.strong, s) }

// Command is for text to be typed.
func (p Palette) Command(s string) string { return paint(p.command, s) }

func paint(c *color.Color, s string) string {
	if c == nil || s == "" {
		return s
	}
	return c.Sprint(s)
}

// SetColor chooses colour for both output streams. Error: an unknown mode, with the known ones.
func (s *Streams) SetColor(mode ColorMode) error {
	switch mode {
	case ColorAuto, ColorAlways, ColorNever:
	default:
		return fmt.Errorf("unknown colour mode %q; known are %s", mode, strings.Join(ColorModes(), ", "))
	}
	s.OutPalette = NewPalette(wantColor(mode, s.OutTTY && s.CI == NoCI, s.getenv))
	s.ErrPalette = NewPalette(wantColor(mode, s.ErrTTY && s.CI == NoCI, s.getenv))
	return nil
}

// wantColor decides for one writer: the flag, then NO_COLOR, then the two variables that force colour, then
// a terminal that cannot, then whether there is a terminal at all.
func wantColor(mode ColorMode, tty bool, getenv func(string) string) bool {
	switch {
	case mode != ColorAuto:
		return mode == ColorAlways
	case getenv("NO_COLOR") != "":
		return false
	case forced(getenv("CLICOLOR_FORCE")), forced(getenv("FORCE_COLOR")):
		return true
	case getenv("TERM") == "dumb", getenv("CLICOLOR") == "0":
		return false
	}
	return tty
}

func forced(v string) bool { return v != "" && v != "0" && v != "false" }
