package action

import (
	"context"
	_ "embed" // the two scripts below
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

//go:embed undo_look.sh
var undoLook string

//go:embed undo_put.sh
var undoPut string

// PendingRoot is the folder of the guest in which locks lie that are off right now.
const PendingRoot = "/var/lib/boxdoctor/pending"

// Standing is how things stand in a guest that a run changed.
type Standing struct {
	// Known: the guest has traces of the run. A guest of the same name that has none is another one.
	Known bool
	// Pending is the folder of locks that are off right now, empty when there are none.
	Pending string
	states  []standing
}

// standing is one change: how it is, was and was left.
type standing struct{ now, was, left string }

// undoable are the changes of entries, the last first, each with its entry.
type undoable struct {
	entry  Entry
	change Change
	line   int // of the change in the notes of its job
}

func undoables(entries []Entry) []undoable {
	var out []undoable
	for _, e := range slices.Backward(entries) {
		for i, c := range slices.Backward(e.Changes) {
			u := undoable{entry: e, change: c, line: i + 1}
			if e.Notes != "" {
				u.change.Copy = e.Notes + "/" + strconv.Itoa(u.line)
			}
			out = append(out, u)
		}
	}
	return out
}

// Stand looks how the changes of one run on one machine stand now. It changes nothing.
func Stand(ctx context.Context, g guest.Runner, run string, entries []Entry) (Standing, error) {
	args := []string{run, BackupRoot, JobRoot, PendingRoot}
	all := undoables(entries)
	for _, u := range all {
		args = append(args, u.change.Kind, u.change.Path, u.entry.Notes, strconv.Itoa(u.line))
	}
	res, err := g.Run(ctx, guest.Cmd{Name: "look at what was changed", Sudo: true, Script: keepScript + undoLook, Args: args, Timeout: 2 * time.Minute})
	if err != nil {
		return Standing{}, err
	}
	s := Standing{states: make([]standing, len(all))}
	for line := range strings.Lines(string(res.Stdout)) {
		s.read(strings.TrimRight(line, "\n"))
	}
	for i, u := range all {
		st := &s.states[i]
		if st.now == "" {
			return Standing{}, fmt.Errorf("step %q: the guest said nothing of %s", "look at what was changed", u.change.Path)
		}
		if u.entry.Notes == "" {
			st.was, st.left = u.change.Was, u.change.Left
		}
	}
	return s, nil
}

// standingLine is a line of undo_look.sh about one change. What a guest says beyond it is passed over.
var standingLine = regexp.MustCompile(`^(\d{1,6}) (now|was|left) (absent|dir|other|file [0-9a-f]{64} [0-7]{1,5} \d+:\d+|link [^\x00-\x1f]+|mounted [^\x00-\x1f]+|` +
	`mode [0-7]{1,5} \d+:\d+|service (?:on|off|static) (?:running|stopped)|sysctl [^\x00-\x1f]+|package [^\x00-\x20]+)$`)

func (s *Standing) read(line string) {
	if what, rest, _ := strings.Cut(line, " "); what == "known" {
		s.Known = true
	} else if what == "pending" {
		s.Pending = PendingRoot + "/" + path.Base(rest)
	}
	m := standingLine.FindStringSubmatch(line)
	if m == nil {
		return
	}
	i, err := strconv.Atoi(m[1])
	if err != nil || i >= len(s.states) {
		return
	}
	switch m[2] {
	case "now":
		s.states[i].now = m[3]
	case "was":
		s.states[i].was = m[3]
	case "left":
		s.states[i].left = m[3]
	}
}

// UndoStep is what becomes of one change of a run, or of one action that leaves something.
type UndoStep struct {
	Entry  Entry
	Change Change // zero where Outcome is finding.Stays
	// Outcome is finding.Planned, Already, Skipped or Stays.
	Outcome string
	Message string
}

// PlanUndo says, the last change first, what can be put back of a run on one machine and what not. It is pure: what
// steps before a step put back counts as put back.
func PlanUndo(entries []Entry, s Standing) []UndoStep {
	var out []UndoStep
	hoped := map[string]string{}
	all := undoables(entries)
	for _, e := range slices.Backward(entries) {
		blocked := ""
		for i, u := range all {
			if u.entry.Seq != e.Seq {
				continue
			}
			st := s.states[i]
			key := u.change.Kind + " " + u.change.Path
			if h, ok := hoped[key]; ok {
				st.now = h
			}
			step := judge(u, st)
			if s.passed(all, i, st.now) {
				step.Outcome, step.Message = finding.Already, ""
			}
			if step.Outcome == finding.Planned && blocked == u.change.Path {
				step.Outcome, step.Message = finding.Skipped, "what is mounted on it stays"
			}
			if step.Outcome == finding.Planned {
				hoped[key] = st.was
			}
			if step.Outcome == finding.Skipped {
				blocked = u.change.Path
			}
			out = append(out, step)
		}
		if e.Stays != "" {
			out = append(out, UndoStep{Entry: e, Outcome: finding.Stays, Message: e.Stays})
		}
	}
	return out
}

// passed tells whether something stands as it was before an earlier change of the same run, so that a later one has
// nothing to put back.
func (s Standing) passed(all []undoable, i int, now string) bool {
	for j := i + 1; j < len(all); j++ {
		if c := all[j].change; c.Kind == all[i].change.Kind && c.Path == all[i].change.Path && sameState(now, s.states[j].was) {
			return true
		}
	}
	return false
}

// judge decides over one change.
func judge(u undoable, st standing) UndoStep {
	c := u.change
	c.Was, c.Left = st.was, st.left
	step := UndoStep{Entry: u.entry, Change: c, Outcome: finding.Skipped}
	switch {
	case st.was == "":
		step.Message = "the guest has no note of how it was: the step did not get that far, or its notes are gone"
	case sameState(st.now, st.was):
		step.Outcome = finding.Already
	case st.left == "":
		step.Message = "the step was cut off before it noted what it left; the old one is " + c.Copy
	case !sameState(st.now, st.left):
		step.Message = fmt.Sprintf("it was changed since: boxdoctor left %s, now it is %s", stateWords(st.left), stateWords(st.now))
	case st.was == "other" || st.was == "dir" && st.left != StateAbsent || strings.HasPrefix(st.was, "mounted "):
		step.Message = "it was " + stateWords(st.was) + ", which boxdoctor cannot make again"
	case c.Kind == KindPackage && st.was != StateAbsent:
		step.Outcome, step.Change = finding.Stays, Change{}
		step.Message = c.Path + " was " + stateWords(st.was) + ", now it is " + stateWords(st.now) + "; boxdoctor installs no older versions"
	default:
		step.Outcome = finding.Planned
		step.Message = "back to " + stateWords(st.was)
	}
	return step
}

// UndoJob puts back what one action of a run changed.
type UndoJob struct {
	// Seq is that action's number.
	Seq    int
	Action Action
}

// UndoJobs are the changes that carry out a plan: one job for each action that has something to put back.
func UndoJobs(steps []UndoStep) []UndoJob {
	var out []UndoJob
	for _, s := range steps {
		if s.Outcome != finding.Planned {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Seq != s.Entry.Seq {
			out = append(out, UndoJob{s.Entry.Seq, Job{Name: "undo: " + s.Entry.Title, Lib: keepScript, Script: undoPut, Timeout: 5 * time.Minute, Brief: true}})
		}
		last, c := &out[len(out)-1], s.Change
		j, _ := last.Action.(Job) // made above
		j.Args = append(j.Args, c.Kind, c.Path, c.Was, c.Left, c.Copy)
		j.Changed = append(j.Changed, Change{Kind: c.Kind, Path: c.Path})
		last.Action = j
	}
	return out
}

// Undone tells whether a planned step's change stands as it was before the run.
func (s Standing) Undone(entries []Entry, step UndoStep) bool {
	all := undoables(entries)
	for i, u := range all {
		if u.entry.Seq == step.Entry.Seq && u.change.Kind == step.Change.Kind && u.change.Path == step.Change.Path {
			return sameState(s.states[i].now, step.Change.Was) || s.passed(all, i, s.states[i].now)
		}
	}
	return false
}
