package provision

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
)

// hostsBlock declares lines of /etc/hosts between marks of its own; what else stands there stays.
type hostsBlock struct {
	name  string
	lines []string
}

const hostsPath = "/etc/hosts"

// ID names the block.
func (h hostsBlock) ID() string { return "hosts/" + h.name }

// Needs are the file and its text.
func (h hostsBlock) Needs() Needs {
	return Needs{Files: []string{hostsPath, "/etc"}, Commands: map[string]string{"hosts": "cat " + hostsPath}}
}

// Diff compares the block.
func (h hostsBlock) Diff(s *State) ([]Change, error) {
	text, err := s.commands.get("hosts")
	if err != nil {
		return nil, err
	}
	file, err := s.files.get(hostsPath)
	if err != nil {
		return nil, err
	}
	old := strings.TrimRight(text.Text, "\n") + "\n"
	begin, end := "# boxdoctor "+h.name+" begin", "# boxdoctor "+h.name+" end"
	block := begin + "\n" + strings.Join(h.lines, "\n") + "\n" + end + "\n"
	if strings.Contains(old, block) {
		return nil, nil
	}
	before, rest, found := strings.Cut(old, begin+"\n")
	if _, after, ended := strings.Cut(rest, end+"\n"); found && ended {
		old = before + after
	}
	f := FileResource{Path: hostsPath, Content: old + block, Mode: configMode, State: Present}
	change := f.write(s, file)
	change.What, change.Diff = "names "+strings.Join(h.lines, ", "), unified(hostsPath, text.Text+"\n", f.Content)
	change.Do = []action.Action{change.Do[0]}
	return []Change{change}, nil
}
