package demo

import (
	"strings"
	"sync"
)

// lockedBuffer collects two streams that are written at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write appends.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is what was written so far.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
