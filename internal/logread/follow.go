package logread

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Lines that are followed are held back this long, so that those of other machines can come before them, but never more than
// these at a time.
const (
	defaultHoldBack = 1200 * time.Millisecond
	holdMost        = 20000
)

// follower reads logs as they grow, and those that come into being meanwhile.
type follower struct {
	o Options
	// until is when the time for reading is over.
	until    time.Time
	in       chan head
	problems chan Problem
	// running are the goroutines that write to the channels.
	running sync.WaitGroup
	// opened counts the logs; entries of one time come in its order.
	opened atomic.Int64
}

// follow emits what comes, in the order of time as far as it comes within holdBack, and tells what goes wrong.
func follow(ctx context.Context, sources []Source, o Options, emit func(Entry) error) ([]Problem, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{o: o, until: time.Now().Add(o.Timeout), in: make(chan head, buffered), problems: make(chan Problem)}
	f.start(ctx, sources)
	problems, err := f.collect(cmp.Or(o.holdBack, defaultHoldBack), emit)
	cancel()
	for range f.in { // only what was on its way
	}
	return problems, err
}

// start reads all sources. The channel of entries is closed when all have ended.
func (f *follower) start(ctx context.Context, sources []Source) {
	followed := map[string]map[string]context.CancelFunc{}
	for _, s := range sources {
		if followed[s.Machine] == nil {
			followed[s.Machine] = map[string]context.CancelFunc{}
		}
		if !s.watches() {
			followed[s.Machine][s.path()] = f.read(ctx, s, f.o)
		}
	}
	for _, s := range sources {
		if s.watches() {
			w := &watch{source: s, seen: s.seen, followed: followed[s.Machine]}
			f.running.Go(func() { f.watch(ctx, w) })
		}
	}
	go func() { f.running.Wait(); close(f.in) }()
}

// read brings the entries of one log into the channel of all, until its end or stop.
func (f *follower) read(ctx context.Context, s Source, o Options) (stop context.CancelFunc) {
	ctx, stop = context.WithCancel(ctx)
	order := int(f.opened.Add(1))
	st := open(ctx, s, o)
	f.running.Go(func() {
		defer stop()
		for e := range st.entries {
			select {
			case f.in <- head{e, order, time.Now()}:
			case <-ctx.Done():
			}
		}
		if st.err != nil {
			f.tell(ctx, st.problem())
		}
	})
	return stop
}

// tell reports a problem, unless it is that reading was stopped.
func (f *follower) tell(ctx context.Context, p Problem) {
	if ctx.Err() != nil {
		return
	}
	select {
	case f.problems <- p:
	case <-ctx.Done():
	}
}

// watch reads the logs of a machine that come into being.
func (f *follower) watch(ctx context.Context, w *watch) {
	for {
		logs, err := w.next(ctx)
		if err != nil {
			f.tell(ctx, Problem{w.source.Machine, "files that come into being are not seen any more", err})
		}
		if len(logs) == 0 {
			return
		}
		o := f.o
		o.Timeout = max(time.Until(f.until), time.Millisecond)
		for _, l := range logs {
			if w.room() {
				w.followed[l.Path] = f.read(ctx, w.begins(l), o)
			} else if !w.full {
				w.full = true
				f.tell(ctx, Problem{w.source.Machine, l.Path + " is not followed", errFull})
			}
		}
	}
}

// collect holds back what comes, and emits it in order. It returns when all logs have ended or emit fails.
func (f *follower) collect(holdBack time.Duration, emit func(Entry) error) (problems []Problem, err error) {
	tick := time.NewTicker(holdBack / 8)
	defer tick.Stop()
	var h orderly
	for {
		select {
		case x, open := <-f.in:
			if !open {
				return problems, h.emit(time.Time{}, emit)
			}
			h.add(x)
		case p := <-f.problems:
			problems = append(problems, p)
			if f.o.Tell != nil {
				f.o.Tell(p)
			}
		case now := <-tick.C:
			err = h.emit(now.Add(-holdBack), emit)
		}
		if len(h.heads) > holdMost && err == nil {
			err = emit(heap.Pop(&h.heads).(head).entry)
		}
		if err != nil {
			return problems, err
		}
	}
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
