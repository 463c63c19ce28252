package logread

import (
	"container/heap"
	"context"
	"time"
)

// Problem is something of a machine that is missing in what was read: What says it, as in "/var/log/a was not read to its end".
type Problem struct {
	Machine, What string
	Err           error
}

// Read gives the entries of all sources in the order of time, each to emit, until all have ended, ctx ends or emit fails. Of
// every log at most a few hundred lines are in memory. Records that go on over several lines stay together.
func Read(ctx context.Context, sources []Source, o Options, emit func(Entry) error) ([]Problem, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Follow {
		return follow(ctx, sources, o, emit)
	}
	var streams []*stream
	for _, s := range sources {
		streams = append(streams, open(ctx, s, o))
	}
	err := merge(ctx, streams, emit)
	interrupted := ctx.Err() != nil
	cancel()
	return ended(streams, interrupted || err != nil), err
}

// ended waits for all streams and collects what went wrong with them; of those that were stopped only what had gone wrong before.
func ended(streams []*stream, stopped bool) []Problem {
	var out []Problem
	for _, s := range streams {
		for range s.entries { // only what was on its way
		}
		if s.err != nil && !stopped {
			out = append(out, s.problem())
		}
	}
	return out
}

// head is the next entry of one stream.
type head struct {
	entry Entry
	order int // of the stream; entries of one time come in this order
	since time.Time
}

// heads is a heap, the earliest first.
type heads []head

// Len is part of heap.Interface.
func (h heads) Len() int { return len(h) }

// Less is part of heap.Interface. Lines of one record have one time, so that no other stream's come between them.
func (h heads) Less(i, j int) bool {
	if c := h[i].entry.At.Compare(h[j].entry.At); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}

// Swap is part of heap.Interface.
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is part of heap.Interface.
func (h *heads) Push(x any) { *h = append(*h, x.(head)) }

// Pop is part of heap.Interface.
func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// merge is a k-way merge: always the earliest of the next entries of all streams.
func merge(ctx context.Context, streams []*stream, emit func(Entry) error) error {
	var h heads
	for i, s := range streams {
		if e, ok := <-s.entries; ok {
			heap.Push(&h, head{entry: e, order: i})
		}
	}
	for len(h) > 0 && ctx.Err() == nil {
		if err := emit(h[0].entry); err != nil {
			return err
		}
		if e, ok := <-streams[h[0].order].entries; ok {
			h[0].entry = e
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	return nil
}
