package action

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Entry is one line of the journal. A change is recorded with State "begin" before it is made, so that a
// killed boxdoctor still leaves the way back.
type Entry struct {
	Time    time.Time `json:"time"`
	Run     string    `json:"run"`
	Machine string    `json:"machine"`
	Fix     string    `json:"fix"`
	Title   string    `json:"title"`
	// Text is what runs; only in the "begin" entry.
	Text string `json:"text,omitempty"`
	// Undo is how to take it back by hand.
	Undo string `json:"undo,omitempty"`
	// Seq numbers the actions of a run on one machine. Changes is what `boxdoctor undo` puts back, Notes the folder of the
	// guest in which a job keeps how they were, Stays what is not put back; all only in the "begin" entry.
	Seq     int      `json:"seq,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	Notes   string   `json:"notes,omitempty"`
	Stays   string   `json:"stays,omitempty"`
	// Project is the folder of the Vagrantfile, UUID the id of the VM, Undoes the run that this one takes back.
	Project string `json:"project,omitempty"`
	UUID    string `json:"uuid,omitempty"`
	Undoes  string `json:"undoes,omitempty"`
	// Host says that the machine is the host.
	Host bool `json:"host,omitempty"`
	// Snapshot is the name of a VirtualBox snapshot that was taken.
	Snapshot string `json:"snapshot,omitempty"`
	State    string `json:"state"` // begin, done, failed, unknown, not begun
	Error    string `json:"error,omitempty"`
}

// Ends of entries. A change that was recorded together with others and never made is not begun.
const (
	stateFailed   = "failed"
	stateNotBegun = "not begun"
)

// Journal keeps entries. Record must have stored the entry when it returns nil: a change whose entry could
// not be stored is not made.
type Journal interface {
	Record(Entry) error
}

// FileJournal appends JSON lines to one file (0600) in the user's state folder, never in the project: a
// shared folder is writable by the guest.
type FileJournal struct {
	path string
	mu   sync.Mutex
}

// NewFileJournal makes the folder (0700) when needed. The file itself appears with the first entry.
func NewFileJournal(path string) (*FileJournal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the journal's folder cannot be made, so nothing may be changed: %w", err)
	}
	return &FileJournal{path: path}, nil
}

// Path is where the journal lies.
func (j *FileJournal) Path() string { return j.path }

// Record appends one line and flushes it to the disk.
func (j *FileJournal) Record(e Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
