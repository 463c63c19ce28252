package term

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// CI is the continuous integration system that boxdoctor runs in.
type CI string

// The systems that are told apart: those whose logs have groups of lines.
const (
	NoCI    CI = ""
	GitHub  CI = "github"
	GitLab  CI = "gitlab"
	OtherCI CI = "other"
)

// DetectCI tells it by the variables that the systems set. A CI of "false" or "0" is none.
func DetectCI(getenv func(string) string) CI {
	switch {
	case forced(getenv("GITHUB_ACTIONS")):
		return GitHub
	case forced(getenv("GITLAB_CI")):
		return GitLab
	}
	for _, name := range []string{"CI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "BUILDKITE"} {
		if forced(getenv(name)) {
			return OtherCI
		}
	}
	return NoCI
}

// sectionName is what GitLab allows in the name of a section.
var sectionName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// Group are the lines that open and close a group of lines in the log, without their ends; empty where there are none.
func (c CI) Group(title string, now time.Time) (opening, closing string) {
	switch c {
	case GitHub:
		return "::group::" + strings.ReplaceAll(title, "%", "%25"), "::endgroup::"
	case GitLab:
		name := "boxdoctor_" + sectionName.ReplaceAllString(title, "_")
		return fmt.Sprintf("\x1b[0Ksection_start:%d:%s\r\x1b[0K%s", now.Unix(), name, title), fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K", now.Unix(), name)
	}
	return "", ""
}

// command is what GitHub Actions would take for a command to itself: it reads them from everything that is printed, with or
// without blanks before.
var command = regexp.MustCompile(`(?m)^([ \t]*):(:)|##(\[)`)

// Plain is a text that the CI system only shows: what a guest says must not command it.
func (c CI) Plain(text string) string {
	if c != GitHub || !strings.Contains(text, "::") && !strings.Contains(text, "##[") {
		return text
	}
	return command.ReplaceAllStringFunc(text, func(s string) string { return s[:len(s)-1] + " " + s[len(s)-1:] })
}
