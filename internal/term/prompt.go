package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// ErrNoTerminal means that a question could not be asked, because nobody is there to answer.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// maxTries bounds how often an unclear answer is asked again.
const maxTries = 3

// CanAsk tells whether a person can be asked: input and the stream of the question are terminals.
func (s *Streams) CanAsk() bool { return s.InTTY && s.ErrTTY && s.CI == NoCI }

// Confirm asks a yes-or-no question on Err; anything but yes is no. Errors: ErrNoTerminal, the context's
// error, or that the input ended.
func (s *Streams) Confirm(ctx context.Context, question string) (bool, error) {
	done, err := s.ask(ctx)
	if err != nil {
		return false, fmt.Errorf("%q was not asked: %w", question, err)
	}
	defer done()
	for range maxTries {
		s.prompt(question + " [y/N] ")
		line, err := await(ctx, s.lines.next)
		if err != nil {
			s.newline()
			return false, fmt.Errorf("no answer to %q: %w", question, err)
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true, nil
		case "", "n", "no":
			return false, nil
		}
		s.prompt("Please answer yes or no.\n")
	}
	return false, nil
}

// Ask asks for one line on Err. Errors: ErrNoTerminal, the context's error, or that the input ended.
func (s *Streams) Ask(ctx context.Context, question string) (string, error) {
	done, err := s.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("%q was not asked: %w", question, err)
	}
	defer done()
	s.prompt(question)
	line, err := await(ctx, s.lines.next)
	if err != nil {
		s.newline()
		return "", fmt.Errorf("no answer to %q: %w", question, err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// Secret asks for one line without echo. Errors: ErrNoTerminal, the context's error, or that the input ended.
// What was typed appears in no error.
func (s *Streams) Secret(ctx context.Context, prompt string) (string, error) {
	done, err := s.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("%q was not asked: %w", prompt, err)
	}
	defer done()
	if s.readSecret == nil {
		return "", fmt.Errorf("%q was not asked: %w", prompt, ErrNoTerminal)
	}
	s.prompt(prompt)
	defer s.newline()
	secret, err := await(ctx, func() (string, error) {
		b, err := s.readSecret()
		return string(b), err
	})
	if err != nil {
		if ctx.Err() != nil && s.restore != nil {
			s.restore() // the reader still waits with echo off
		}
		return "", fmt.Errorf("no answer to %q: %w", strings.TrimSpace(prompt), err)
	}
	return secret, nil
}

// ask takes the turn to ask: several machines may have questions at once. done gives the turn back and
// lets progress continue.
func (s *Streams) ask(ctx context.Context) (done func(), err error) {
	if !s.CanAsk() {
		return nil, ErrNoTerminal
	}
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	resume := s.pauseProgress()
	return func() { resume(); <-s.asking }, nil
}

func (s *Streams) prompt(text string) { _, _ = io.WriteString(s.Err, text) }
func (s *Streams) newline()           { s.prompt("\n") }

// await runs read beside the context. A read from a terminal cannot be taken back, so its goroutine stays
// until the next line or the end of the process; its answer is then dropped.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := read()
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// lineReader reads In line by line, keeping what was read beyond a line.
type lineReader struct {
	mu sync.Mutex // a cancelled question may still be reading
	r  io.Reader
	br *bufio.Reader
}

func (l *lineReader) next() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.br == nil {
		l.br = bufio.NewReader(l.r)
	}
	line, err := l.br.ReadString('\n')
	if err != nil && line != "" && errors.Is(err, io.EOF) {
		return line, nil
	}
	if errors.Is(err, io.EOF) {
		return "", errors.New("the input ended")
	}
	return line, err
}
