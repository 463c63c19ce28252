package logread

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// watch is what is known of the files of one machine while they are followed. The step that has listed them lists them again whenever
// other files have their names.
type watch struct {
	source Source
	// followed are the paths of the logs that are read, and how to end each.
	followed map[string]context.CancelFunc
	// seen are the files of the last list, whatever their names were.
	seen map[string]bool
	// listed are the names of the last list.
	listed []string
	// full says that it was told that there are too many.
	full bool
}

var errFull = fmt.Errorf("%w: at most %d of one machine are followed at a time", ErrTooMany, maxFiles)

// next waits for logs that are new: neither followed, nor an old file under a new name, nor one that belongs to a log that is followed.
// Without an error there are none only if the time is over.
func (w *watch) next(ctx context.Context) ([]Log, error) {
	s := w.source.session
	defer context.AfterFunc(ctx, s.cancel)()
	for {
		text, _, err := s.list(time.Now)
		if err != nil {
			if stepErr := s.end(false); stepErr != nil {
				err = stepErr
			}
			if errors.Is(err, context.DeadlineExceeded) {
				return nil, nil
			}
			return nil, err
		}
		if logs := w.fresh(parseFound(text, time.Time{}, time.Time{})); len(logs) > 0 {
			return logs, nil
		}
	}
}

// fresh are the new logs of a list.
func (w *watch) fresh(f Found) []Log {
	var out []Log
	for _, l := range f.Logs {
		if w.followed[l.Path] == nil && !w.seen[l.id] && !compressed(l.Path) && !w.rotated(l.Path) {
			out = append(out, l)
		}
	}
	w.seen, w.listed = ids(f.Logs), f.listed
	return out
}

// rotated says whether a name is that of a rotated file of a log that is followed, which may have no file just now.
func (w *watch) rotated(name string) bool {
	for log := range w.followed {
		rest, ok := strings.CutPrefix(name, log)
		if ok && len(rest) > 1 && (rest[0] == '.' || rest[0] == '-') && rest[1] >= '0' && rest[1] <= '9' {
			return true
		}
	}
	return false
}

// room says whether one more log can be followed; one whose name no file has any more makes room.
func (w *watch) room() bool {
	if len(w.followed) < maxFiles {
		return true
	}
	for name, stop := range w.followed {
		if !slices.Contains(w.listed, name) {
			stop()
			delete(w.followed, name)
			return true
		}
	}
	return false
}

// begins is a new log as a source.
func (w *watch) begins(l Log) Source {
	s := w.source
	return Source{Machine: s.Machine, Guest: s.Guest, Files: []string{l.Path}, Clock: s.Clock, Sudo: s.Sudo || !l.readable, begins: true}
}

// ids tell which files logs are.
func ids(logs []Log) map[string]bool {
	out := map[string]bool{}
	for _, l := range logs {
		out[l.id] = true
	}
	return out
}

// compressed says whether a name is that of a file that nobody writes to any more.
func compressed(name string) bool {
	return slices.Contains([]string{".gz", ".xz", ".bz2", ".zst"}, path.Ext(name))
}
