package provision

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// flatten gives every option its full name, as the manual writes it. A dot in a key is one already.
func flatten(prefix string, tree map[string]any, into map[string]any) {
	for k, v := range tree {
		name := strings.TrimPrefix(prefix+"."+k, ".")
		if below, ok := v.(map[string]any); ok && len(below) > 0 {
			flatten(name, below, into)
		} else {
			into[name] = v
		}
	}
}

// unflatten is the tree again. A name that is both an option and a folder of options cannot come from flatten.
func unflatten(flat map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range flat {
		at := out
		words := strings.Split(name, ".")
		for _, w := range words[:len(words)-1] {
			below, ok := at[w].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[w] = below
			}
			at = below
		}
		at[words[len(words)-1]] = v
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// mongoConf declares options of one mongod.conf. What else stands in the file stays.
type mongoConf struct {
	Path         string
	Options      map[string]any // by full name
	Owner, Group string
	// Instance is the port: its name in the mark that asks for a restart.
	Instance int
}

// ID is "file" and the path.
func (c mongoConf) ID() string { return "file" + c.Path }

func (c mongoConf) question() string { return "mongod" + c.Path }

// Needs are the file and its whole text.
func (c mongoConf) Needs() Needs {
	n := Needs{Files: []string{c.Path, path.Dir(c.Path)}, Commands: map[string]string{c.question(): "test ! -e " + shell.Quote(c.Path) + " || cat " + shell.Quote(c.Path)}}
	return n.owners(c.Owner, c.Group)
}

// iniLine is a line of the format before 2.6.
var iniLine = regexp.MustCompile(`(?m)^\s*([A-Za-z_]+)\s*=\s*(.*)$`)

// A guest's file must not cost more than reading it: aliases grow without bound, nesting without end.
const maxBrackets = 200

var unusual = regexp.MustCompile(`(?m)(?:^|[\s\[{,:?-])[&*]\S|(?:[-?:][ \t]+){8}`)

// Diff merges option by option: a file that holds all declared ones stays as it is, with its comments.
func (c mongoConf) Diff(s *State) ([]Change, error) {
	text, err := s.commands.get(c.question())
	if err != nil {
		return nil, err
	}
	if m := iniLine.FindAllStringSubmatch(text.Text, 20); len(m) > 0 {
		return nil, legacyConf(c.Path, m)
	}
	if strings.Count(text.Text, "[")+strings.Count(text.Text, "{") > maxBrackets || unusual.MatchString(text.Text) {
		return nil, fmt.Errorf("%s holds anchors, aliases or deep nesting, which no mongod.conf needs: it is not read", c.Path)
	}
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(text.Text), &tree); err != nil {
		return nil, fmt.Errorf("%s is not YAML, so mongod cannot read it either: %s", c.Path, yaml.FormatError(err, false, false))
	}
	have := map[string]any{}
	flatten("", tree, have)
	var changed []string
	merged := maps.Clone(have)
	for _, name := range sortedKeys(c.Options) {
		if old, ok := have[name]; !ok || fmt.Sprint(old) != fmt.Sprint(c.Options[name]) {
			changed = append(changed, name)
			merged[name] = c.Options[name]
		}
	}
	if err := c.known(have); err != nil {
		return nil, err
	}
	if len(changed) == 0 {
		f := FileResource{Path: c.Path, Mode: configMode}
		file, err := s.files.get(f.Path)
		if err != nil {
			return nil, err
		}
		return attributes(c.Path, file, configMode, "", ""), nil
	}
	return c.write(s, text.Text, merged, changed)
}

// known refuses a file with an option that mongod does not know: it would not start with it.
func (c mongoConf) known(have map[string]any) error {
	for _, name := range sortedKeys(have) {
		if have[name] != nil && !knowledge.MongoOption(name) {
			return fmt.Errorf("%s in the guest holds %s, which mongod does not know and refuses to start with; take it out, then run this again", c.Path, name)
		}
	}
	return nil
}

// write is the new file. mongod hears of it in the stage after all machines, one member after the other: a set whose
// members all restart at once has no primary.
func (c mongoConf) write(s *State, old string, merged map[string]any, changed []string) ([]Change, error) {
	maps.DeleteFunc(merged, func(_ string, v any) bool { return v == nil })
	body, err := yaml.Marshal(unflatten(merged))
	if err != nil {
		return nil, err
	}
	f := FileResource{Path: c.Path, Content: "# boxdoctor provision: its options are merged into what stood here\n" + string(body), Mode: configMode, State: Present}
	file, err := s.files.get(c.Path)
	if err != nil {
		return nil, err
	}
	if waits, err := f.waits(s); waits != "" || err != nil {
		return []Change{{What: "file", From: presence(file), To: Present, Waits: waits}}, err
	}
	change := f.write(s, file)
	change.What, change.Diff = "options "+strings.Join(changed, ", "), unified(c.Path, old, f.Content)
	if strings.Contains(strings.ToLower(old+f.Content), "password") {
		change.Diff = "" // that of a TLS key file may stand there
	}
	change.Do = append([]action.Action{restartMark(c.Instance)}, change.Do...)
	return []Change{change}, nil
}

// mongoRestart is where a mark stands for every instance that must be restarted; the stage takes it away.
const mongoRestart = "/var/lib/boxdoctor/mongo-restart-"

func restartMark(port int) action.Job {
	file := fmt.Sprintf("%s%d", mongoRestart, port)
	j := short(fmt.Sprintf("note: restart mongod at port %d later", port), `umask 077; mkdir -p "${1%/*}"; : >"$1"`, file)
	j.Undo = "sudo rm " + file
	return j
}

// legacyConf reports a configuration of the days before YAML: such a server is older than anything that is managed here.
func legacyConf(file string, lines [][]string) error {
	var out []string
	for _, l := range lines {
		if key := l[1]; slices.Contains([]string{"dbpath", "logpath", "logappend", "fork", "port", "bind_ip", "replSet", "auth", "oplogSize", "pidfilepath"}, key) {
			out = append(out, key+"="+strings.TrimSpace(l[2]))
		}
	}
	return fmt.Errorf("%s has the ini form of MongoDB 2.x (%s): it is only read. Such a server is not changed by boxdoctor; "+
		"dump its data (mongodump), move the file and dbpath away, and run this again for a new server", file, strings.Join(out, ", "))
}
