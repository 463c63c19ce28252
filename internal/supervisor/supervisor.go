// Package supervisor asks the supervisords of a guest by XML-RPC. Their sockets are root's alone, so that SSH cannot
// forward them to the login user (docs/adr/0008-supervisor-over-ssh.md): one step runs a small relay as root, which
// finds them, whoever installed them, and carries requests and answers.
package supervisor

import (
	"context"
	_ "embed" // the relay
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

//go:embed relay.sh
var relayScript string

//go:embed relay.py
var relayProgram string

// Instance is one supervisord of a guest.
type Instance struct {
	Config  string `json:"config"`
	Socket  string `json:"socket"`
	Version string `json:"version"`
	// State is supervisord's own: RUNNING, RESTARTING, SHUTDOWN, FATAL; empty when it was not asked.
	State string `json:"state"`
	// Down: its configuration is here, and nothing listens where it should.
	Down bool `json:"down"`
	// Error is why nothing is known of its programs.
	Error    string    `json:"error"`
	Programs []Program `json:"programs"`
}

// Program is one process that a supervisord runs.
type Program struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	State string `json:"state"`
	// PID is 0 when it does not run.
	PID int `json:"pid"`
	// UptimeSeconds is how long it runs; 0 when it does not.
	UptimeSeconds int `json:"uptime_seconds"`
	// Exit is the status that it ended with, -1 for a signal; nil where supervisord does not know it, as when a program
	// ended too quickly.
	Exit *int `json:"exit"`
	// LastError is what supervisord says of the last failure, and the last line that the program wrote on standard error.
	LastError string `json:"last_error"`
	// logs are the files of what it writes; standard error has none when it goes into the other.
	logs map[Stream]string
}

// FullName is how supervisorctl names it.
func (p Program) FullName() string {
	if p.Group == p.Name {
		return p.Name
	}
	return p.Group + ":" + p.Name
}

// Failed tells a program that should run and does not.
func (p Program) Failed() bool {
	return slices.Contains([]string{"FATAL", "BACKOFF", "UNKNOWN"}, p.State)
}

// Bounds of what is believed of a guest, and of how long it is waited for.
const (
	maxPrograms = 10000
	maxName     = 200
	maxError    = 500
	// outputLimit holds the answers of several supervisords in base64.
	outputLimit = 32 << 20
	lookTimeout = 30 * time.Second
	// changeTimeout is how long starting or stopping one program may take: supervisord waits for startsecs, stopwaitsecs.
	changeTimeout = 15 * time.Minute
	// tailBytes is how much of a program's standard error is read for its last line; tailed how many programs are.
	tailBytes = 2000
	tailed    = 20
)

// reply is what the relay says of one supervisord.
type reply struct {
	Config  string   `json:"config"`
	Socket  string   `json:"socket"`
	Down    bool     `json:"down"`
	Error   string   `json:"error"`
	Answers [][]byte `json:"answers"`
}

// send has requests answered by the supervisord of one configuration, or by all.
func send(ctx context.Context, r guest.Runner, name, config string, limit time.Duration, requests ...string) ([]reply, error) {
	args := append([]string{relayProgram, config, strconv.Itoa(int(limit.Seconds()))}, requests...)
	// the step may take what all its requests may take
	res, err := r.Run(ctx, guest.Cmd{Name: name, Script: relayScript, Args: args, Sudo: true, Limit: outputLimit,
		Timeout: time.Duration(len(requests)) * limit})
	if err != nil {
		return nil, err
	}
	if res.Truncated {
		return nil, fmt.Errorf("step %q: its answer is longer than %d bytes", name, outputLimit)
	}
	var out struct {
		Instances []reply `json:"instances"`
	}
	if err := json.Unmarshal(res.Stdout, &out); err != nil {
		return nil, fmt.Errorf("step %q: its answer is no JSON: %w; it begins with %.100q", name, err, res.Stdout)
	}
	return out.Instances, nil
}

// Look asks all supervisords of a guest for their programs: one step, and a second one when programs failed.
func Look(ctx context.Context, r guest.Runner) ([]Instance, error) {
	replies, err := send(ctx, r, "ask supervisord", "", lookTimeout, request("supervisor.getSupervisorVersion"),
		request("supervisor.getState"), request("supervisor.getAllProcessInfo"))
	if err != nil {
		return nil, err
	}
	out := []Instance{}
	for _, p := range replies {
		out = append(out, instance(p))
	}
	for i := range out {
		lastErrors(ctx, r, &out[i])
	}
	return out, nil
}

// instance is what one supervisord says of itself.
func instance(p reply) Instance {
	i := Instance{Config: p.Config, Socket: p.Socket, Down: p.Down, Error: p.Error, Programs: []Program{}}
	if i.Error != "" {
		return i
	}
	var answers []any
	for _, a := range p.Answers {
		v, err := response(a)
		if err != nil {
			i.Error = err.Error()
			return i
		}
		answers = append(answers, v)
	}
	if len(answers) != 3 {
		i.Error = fmt.Sprintf("%d answers to three questions", len(answers))
		return i
	}
	i.Version, _ = answers[0].(string)
	i.State = word(answers[1], "statename")
	list, _ := answers[2].([]any)
	for _, info := range list[:min(len(list), maxPrograms)] {
		i.Programs = append(i.Programs, program(info))
	}
	return i
}

func program(info any) Program {
	p := Program{Name: short(word(info, "name"), maxName), Group: short(word(info, "group"), maxName), State: short(word(info, "statename"), maxName),
		PID: number(info, "pid"), LastError: short(word(info, "spawnerr"), maxError),
		logs: map[Stream]string{Stdout: word(info, "stdout_logfile"), Stderr: word(info, "stderr_logfile")}}
	if p.State == "RUNNING" {
		p.UptimeSeconds = max(0, number(info, "now")-number(info, "start"))
	}
	if p.State == "EXITED" || p.State == "STOPPED" && number(info, "stop") > 0 {
		code := number(info, "exitstatus")
		p.Exit = &code
	}
	return p
}

func word(v any, key string) string {
	m, _ := v.(map[string]any)
	s, _ := m[key].(string)
	return s
}

func number(v any, key string) int {
	m, _ := v.(map[string]any)
	n, _ := m[key].(int)
	return n
}

func short(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

// lastErrors adds the last line that failed programs wrote on standard error. Where it cannot be had, what supervisord
// says is what is known.
func lastErrors(ctx context.Context, r guest.Runner, i *Instance) {
	var of []*Program
	var requests []string
	for k := range i.Programs {
		if p := &i.Programs[k]; p.Failed() && len(of) < tailed {
			of = append(of, p)
			requests = append(requests, p.read(Stderr, tailBytes)...)
		}
	}
	if len(of) == 0 {
		return
	}
	answers, err := answers(ctx, r, "read standard error of programs", i.Config, lookTimeout, requests)
	if err != nil {
		return
	}
	for k, p := range of {
		if text, err := firstText(answers[k*cuts : (k+1)*cuts]); err == nil {
			p.LastError = explained(p.LastError, lastLine(text))
		}
	}
}

// Stream is what a program writes.
type Stream string

// The streams that supervisord keeps.
const (
	Stdout Stream = "Stdout"
	Stderr Stream = "Stderr"
)

// cuts is how often the end of a log is asked for, each time a byte less: supervisord on Python 3 fails when the first
// byte is not the begin of a character.
const cuts = 4

// read asks for the end of what the program wrote. Where standard error goes into the other log, that one is read.
func (p Program) read(s Stream, size int) []string {
	if p.logs[s] == "" {
		s = Stdout
	}
	var out []string
	for less := range cuts {
		out = append(out, request("supervisor.readProcess"+string(s)+"Log", p.FullName(), less-size, 0))
	}
	return out
}

// firstText is the first text among answers to the same question, or the error of the first one.
func firstText(answers [][]byte) (string, error) {
	var first error
	for _, a := range answers {
		v, err := response(a)
		if text, ok := v.(string); ok {
			return text, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return short(strings.TrimSpace(lines[len(lines)-1]), maxError)
}

// explained puts what the program said before what supervisord says of it.
func explained(said, line string) string {
	said = strings.TrimSuffix(said, " (process log may have details)")
	if said == "" || line == "" {
		return said + line
	}
	return line + " (" + said + ")"
}
