package logread

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"
)

// Problem is a log that could not be read to its end.
type Problem struct {
	Machine, File string
	Err           error
}

// Read gives the entries of all sources in the order of time, each to emit, until all have ended, ctx ends or emit fails. Of
// every log at most a few hundred lines are in memory. Records that go on over several lines stay together.
func Read(ctx context.Context, sources []Source, o Options, emit func(Entry) error) ([]Problem, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var streams []*stream
	for _, s := range sources {
		streams = append(streams, open(ctx, s, o))
	}
	var err error
	if o.Follow {
		err = follow(ctx, streams, cmp.Or(o.holdBack, defaultHoldBack), emit)
	} else {
		err = merge(ctx, streams, emit)
	}
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
			out = append(out, Problem{s.source.Machine, s.source.path(), s.err})
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

// Lines that are followed are held back this long, so that those of other machines can come before them, but never more than
// these at a time.
const (
	defaultHoldBack = 1200 * time.Millisecond
	holdMost        = 20000
)

// follow emits what comes, in the order of time as far as it comes within holdBack.
func follow(ctx context.Context, streams []*stream, holdBack time.Duration, emit func(Entry) error) error {
	in := gather(ctx, streams)
	tick := time.NewTicker(holdBack / 8)
	defer tick.Stop()
	var h orderly
	for {
		select {
		case x, open := <-in:
			if !open {
				return h.emit(time.Time{}, emit)
			}
			h.add(x)
		case now := <-tick.C:
			if err := h.emit(now.Add(-holdBack), emit); err != nil {
				return err
			}
		}
		if len(h.heads) > holdMost {
			if err := emit(heap.Pop(&h.heads).(head).entry); err != nil {
				return err
			}
		}
	}
}

// gather brings the entries of all streams into one channel, which is closed when all have ended.
func gather(ctx context.Context, streams []*stream) <-chan head {
	out := make(chan head, buffered)
	var wg sync.WaitGroup
	for i, s := range streams {
		wg.Go(func() {
			for e := range s.entries {
				select {
				case out <- head{e, i, time.Now()}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() { wg.Wait(); close(out) }()
	return out
}

// orderly are lines that are held back. Those of one stream keep their order, because their times never go back.
type orderly struct {
	heads heads
	count int
}

func (o *orderly) add(x head) {
	o.count++
	x.order = x.order<<32 + o.count&(1<<32-1)
	heap.Push(&o.heads, x)
}

// emit gives what came before a time, and all that is earlier than that; the zero time means everything.
func (o *orderly) emit(before time.Time, emit func(Entry) error) error {
	for len(o.heads) > 0 {
		if !before.IsZero() && o.heads[0].since.After(before) {
			return nil
		}
		if err := emit(heap.Pop(&o.heads).(head).entry); err != nil {
			return err
		}
	}
	return nil
}
