package cmd

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Interrupts turns Ctrl-C (and SIGTERM) into two contexts. The first one ends Soft: nothing new is begun, and
// what runs is waited for. The second one ends Hard: every wait is given up, and what runs in a guest goes on
// there. After that the signals have their usual effect again, so that a third one always ends the process.
type Interrupts struct {
	// Soft and Hard are derived from the context given to watch. Hard outlives Soft.
	Soft, Hard context.Context

	stop func()
	once sync.Once
}

// watch starts to listen. Each function is told of one interruption, before its context ends; any may be nil.
// With one function only, the second Ctrl-C already has its usual effect. signals is nil for those of the
// process. Stop must be called.
func watch(parent context.Context, signals chan os.Signal, told ...func()) *Interrupts {
	release := func() {}
	if signals == nil {
		signals = make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		release = func() { signal.Stop(signals) }
	}
	hard, endHard := context.WithCancel(parent)
	soft, endSoft := context.WithCancel(hard)
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		defer release()
		listen(signals, done, told, []func(){endSoft, endHard})
	}()
	return &Interrupts{Soft: soft, Hard: hard, stop: func() {
		close(done)
		<-finished
		endSoft()
		endHard()
	}}
}

// listen ends one context per signal, as many as there are functions to tell.
func listen(signals <-chan os.Signal, done <-chan struct{}, told []func(), ends []func()) {
	for i := range min(len(told), len(ends)) {
		select {
		case <-signals:
		case <-done:
			return
		}
		if told[i] != nil {
			told[i]()
		}
		ends[i]()
	}
}

// Interrupted tells whether the person has asked to stop. Ask before Stop.
func (i *Interrupts) Interrupted() bool { return i.Soft.Err() != nil }

// Stop ends listening and both contexts. It may be called more than once.
func (i *Interrupts) Stop() { i.once.Do(i.stop) }
