package term

import (
	"testing"
	"time"
)

func TestDetectCI(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want CI
	}{
		{nil, NoCI}, {[]string{"CI", "true"}, OtherCI}, {[]string{"CI", "1"}, OtherCI}, {[]string{"CI", "false"}, NoCI}, {[]string{"CI", "0"}, NoCI},
		{[]string{"CI", "true", "GITHUB_ACTIONS", "true"}, GitHub}, {[]string{"CI", "true", "GITLAB_CI", "true"}, GitLab},
		{[]string{"GITHUB_ACTIONS", "false"}, NoCI}, {[]string{"JENKINS_URL", "http://ci.example/"}, OtherCI}, {[]string{"TF_BUILD", "True"}, OtherCI},
	} {
		if got := DetectCI(env(c.env...)); got != c.want {
			t.Errorf("%v: %q, want %q", c.env, got, c.want)
		}
	}
}

// In CI nobody answers and nobody looks at colours, even where the system gives a terminal. Who asks for colour gets it.
func TestCIHasNoColourAndNoQuestion(t *testing.T) {
	for _, c := range []struct {
		env           []string
		ask, coloured bool
	}{
		{nil, true, true}, {[]string{"CI", "true"}, false, false}, {[]string{"GITLAB_CI", "true"}, false, false},
		{[]string{"CI", "true", "FORCE_COLOR", "1"}, false, true}, {[]string{"CI", "true", "FORCE_COLOR", "1", "NO_COLOR", "1"}, false, false},
	} {
		s, _, _ := Test("")
		s.getenv, s.InTTY, s.OutTTY, s.ErrTTY = env(c.env...), true, true, true
		s.CI = DetectCI(s.getenv)
		if err := s.SetColor(ColorAuto); err != nil {
			t.Fatal(err)
		}
		if got := s.OutPalette.Bad("x") != "x"; s.CanAsk() != c.ask || got != c.coloured || s.NewProgress().Visible() != c.ask {
			t.Errorf("%v: asks %v, coloured %v", c.env, s.CanAsk(), got)
		}
		if err := s.SetColor(ColorAlways); err != nil || s.OutPalette.Bad("x") == "x" {
			t.Errorf("%v: --color always is not obeyed: %v", c.env, err)
		}
	}
}

func TestGroups(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for c, want := range map[CI][2]string{
		GitHub:  {"::group::web 100%25", "::endgroup::"},
		GitLab:  {"\x1b[0Ksection_start:1700000000:boxdoctor_web_100_\r\x1b[0Kweb 100%", "\x1b[0Ksection_end:1700000000:boxdoctor_web_100_\r\x1b[0K"},
		OtherCI: {"", ""}, NoCI: {"", ""},
	} {
		if opening, closing := c.Group("web 100%", at); opening != want[0] || closing != want[1] {
			t.Errorf("%q: %q and %q", c, opening, closing)
		}
	}
}

// A guest's words, printed in a job of GitHub Actions, set variables of the job or switched its commands off.
func TestGuestsCommandNoCI(t *testing.T) {
	for in, want := range map[string]string{
		"::set-env name=PATH::/evil":       ": :set-env name=PATH::/evil",
		"ok\n   ::add-mask::a\nb":          "ok\n   : :add-mask::a\nb",
		"x ##[error]y":                     "x ## [error]y",
		"a::b is C++ and stays as it is":   "a::b is C++ and stays as it is",
		"the address ::1 inside of a line": "the address ::1 inside of a line",
	} {
		if got := GitHub.Plain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := GitLab.Plain(in); got != in {
			t.Errorf("elsewhere %q became %q", in, got)
		}
	}
}
