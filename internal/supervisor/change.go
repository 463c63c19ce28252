package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// Verb is what can be done to a program.
type Verb string

// Verbs, as supervisorctl names them.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
)

// Change starts, stops or restarts programs of one supervisord and waits until it is done. The error joins what
// supervisord refused; a program that already is as wanted is none.
func Change(ctx context.Context, r guest.Runner, config string, v Verb, programs []Program) error {
	var requests []string
	if v != Start {
		requests = each(requests, "supervisor.stopProcess", programs)
	}
	if v != Stop {
		requests = each(requests, "supervisor.startProcess", programs)
	}
	answers, err := answers(ctx, r, string(v)+" programs", config, changeTimeout, requests)
	if err != nil {
		return err
	}
	var errs []error
	for i, a := range answers {
		var f *Fault
		if _, err := response(a); errors.As(err, &f) && (f.Code == faultAlreadyStarted || f.Code == faultNotRunning) {
			continue
		} else if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", programs[i%len(programs)].FullName(), err))
		}
	}
	return errors.Join(errs...)
}

// each appends a request for every program that waits until it is done.
func each(requests []string, method string, programs []Program) []string {
	for _, p := range programs {
		requests = append(requests, request(method, p.FullName(), true))
	}
	return requests
}

// maxTail bounds what Tail reads.
const maxTail = 64 << 10

// Tail is the end of what a program wrote.
func Tail(ctx context.Context, r guest.Runner, config string, p Program, s Stream) (string, error) {
	answers, err := answers(ctx, r, "read what programs wrote", config, lookTimeout, p.read(s, maxTail))
	if err != nil {
		return "", err
	}
	text, err := firstText(answers)
	if errors.Is(err, errFailed) {
		err = fmt.Errorf("%w; its log may not be UTF-8. To read it in the guest: sudo tail %s", err, shell.Quote(p.logs[s]))
	}
	return text, err
}

// answers are those of the supervisord of one configuration, one for each request.
func answers(ctx context.Context, r guest.Runner, name, config string, limit time.Duration, requests []string) ([][]byte, error) {
	replies, err := send(ctx, r, name, config, limit, requests...)
	switch {
	case err != nil:
		return nil, err
	case len(replies) != 1:
		return nil, fmt.Errorf("step %q: %d supervisords answered instead of one", name, len(replies))
	case replies[0].Error != "":
		return nil, fmt.Errorf("supervisord of %s: %s", config, replies[0].Error)
	case len(replies[0].Answers) != len(requests):
		return nil, fmt.Errorf("supervisord of %s: %d answers to %d requests", config, len(replies[0].Answers), len(requests))
	}
	return replies[0].Answers, nil
}
