package cmd

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adrg/xdg"
)

const (
	// stateEnv overrides the state folder, for tests and for people who keep state elsewhere.
	stateEnv = "BOXDOCTOR_STATE_HOME"
	// keptLogs is how many logs of runs stay in the state folder.
	keptLogs = 20
	// logLimit bounds one log: a machine that never stops talking must not fill the disk.
	logLimit = 64 << 20
)

// stateDir is the folder for logs, journals and host keys.
func stateDir(getenv func(string) string) string {
	return cmp.Or(getenv(stateEnv), filepath.Join(xdg.StateHome, "boxdoctor"))
}

// runLog is the log of one run: every step with its output, for looking at afterwards. It is readable for its
// owner only. A nil runLog swallows everything: a state folder that cannot be written must not stop a check.
type runLog struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int
	now  func() time.Time
}

// openLog starts a log and removes all but the newest of the old ones.
func openLog(getenv func(string) string, command string, at time.Time) (*runLog, error) {
	dir := filepath.Join(stateDir(getenv), "logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	prune(dir, keptLogs-1)
	name := fmt.Sprintf("%s-%d-%s.log", at.UTC().Format("20060102T150405.000Z"), os.Getpid(), command)
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &runLog{path: path, file: f, now: time.Now}, nil
}

// prune removes the oldest logs of dir; names begin with the time. What cannot be removed stays.
func prune(dir string, keep int) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) <= keep {
		return
	}
	slices.Sort(logs)
	for _, old := range logs[:len(logs)-keep] {
		_ = os.Remove(old)
	}
}

// write appends a text under a machine's name. A log that cannot be written is not worth an error to the person.
func (l *runLog) write(machine, text string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || l.size > logLimit {
		return
	}
	head := l.now().UTC().Format("15:04:05.000") + " " + machine + ": "
	n, _ := l.file.WriteString(head + strings.TrimRight(text, "\n") + "\n")
	if l.size += n; l.size > logLimit {
		_, _ = l.file.WriteString(head + "the log is full, the rest of this run is not kept\n")
	}
}

func (l *runLog) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

// logWriter is a machine's log as an io.Writer.
type logWriter struct {
	machine string
	write   func(machine, text string)
}

// Write never fails. The transport's lines name the machine already.
func (w logWriter) Write(b []byte) (int, error) {
	w.write(w.machine, strings.TrimPrefix(string(b), w.machine+": "))
	return len(b), nil
}
