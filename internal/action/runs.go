package action

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Recorded is one run of boxdoctor as its journal tells it.
type Recorded struct {
	// ID is the name of the journal's file without its ending; it begins with the time.
	ID      string
	Path    string
	Started time.Time
	// Project is the folder of the Vagrantfile, empty for guests that were given by address.
	Project string
	// Undoes is the run that this one took back.
	Undoes   string
	Machines []RecordedMachine
}

// RecordedMachine is what a run did on one machine.
type RecordedMachine struct {
	Name, UUID string
	// Run is the run's id in the guest.
	Run string
	// Host: it is the host, whatever a guest may be named.
	Host bool
	// Snapshot is the VirtualBox snapshot that was taken first.
	Snapshot string
	// Entries are the begun actions, in order.
	Entries []Entry
}

// Names are the machines of the run.
func (r Recorded) Names() []string {
	var out []string
	for _, m := range r.Machines {
		out = append(out, m.Name)
	}
	return out
}

// Machine is what the run did on one machine; nothing when it did nothing there.
func (r Recorded) Machine(name string) RecordedMachine { return r.find(name, false) }

// OnHost is what the run did on the host.
func (r Recorded) OnHost(name string) RecordedMachine { return r.find(name, true) }

func (r Recorded) find(name string, host bool) RecordedMachine {
	for _, m := range r.Machines {
		if m.Name == name && m.Host == host {
			return m
		}
	}
	return RecordedMachine{Name: name, Host: host}
}

// journalEnd is how the names of journals end.
const journalEnd = ".jsonl"

// JournalName is the name of the journal of a run that starts now.
func JournalName(at time.Time) string { return at.UTC().Format("20060102T150405.000Z") + journalEnd }

// journalLimit bounds what is read of one journal: scripts are in it.
const journalLimit = 64 << 20

// ReadRuns reads all journals of a folder, the oldest first. One that cannot be read does not hide the others: it is in
// the error, and the rest is returned.
func ReadRuns(dir string) ([]Recorded, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+journalEnd))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []Recorded
	var bad []error
	for _, name := range names {
		r, err := readRun(name)
		if err != nil {
			bad = append(bad, fmt.Errorf("the journal %s cannot be read: %w", name, err))
		}
		if len(r.Machines) > 0 {
			out = append(out, r)
		}
	}
	return out, errors.Join(bad...)
}

// readRun reads one journal. A line that is cut off in the middle is what a power cut leaves of the last one.
func readRun(name string) (Recorded, error) {
	r := Recorded{ID: strings.TrimSuffix(filepath.Base(name), journalEnd), Path: name}
	f, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return r, nil
		}
		return r, err
	}
	defer f.Close()
	lines := bufio.NewReaderSize(io.LimitReader(f, journalLimit), 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return r, err
		}
		r.add(e)
	}
}

// drop forgets an action that was recorded and then not begun.
func (r *Recorded) drop(e Entry) {
	for i := range r.Machines {
		if m := &r.Machines[i]; m.Name == e.Machine && m.Run == e.Run {
			m.Entries = slices.DeleteFunc(m.Entries, func(b Entry) bool { return b.Seq == e.Seq })
		}
	}
}

// add takes one entry up. Journals of boxdoctor before undo have no numbers, and only words.
func (r *Recorded) add(e Entry) {
	if e.State == stateNotBegun {
		r.drop(e)
	}
	if e.State != "begin" {
		return
	}
	if r.Started.IsZero() {
		r.Started, r.Project, r.Undoes = e.Time, e.Project, e.Undoes
	}
	i := slices.IndexFunc(r.Machines, func(m RecordedMachine) bool { return m.Name == e.Machine && m.Run == e.Run && m.Host == e.Host })
	if i < 0 {
		i = len(r.Machines)
		r.Machines = append(r.Machines, RecordedMachine{Name: e.Machine, UUID: e.UUID, Run: e.Run, Host: e.Host})
	}
	m := &r.Machines[i]
	if e.Snapshot != "" {
		m.Snapshot = e.Snapshot
		return
	}
	if e.Seq == 0 {
		e.Seq, e.Stays = len(m.Entries)+1, e.Undo
	}
	m.Entries = append(m.Entries, e)
}
