package provision

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Program is one program with all keys of Supervisor 4. Keys that are not declared are not written, except those whose
// default changed between versions (exitcodes) and priority, which follows the order of the declaration.
type Program struct {
	Command               string            `yaml:"command"`
	ProcessName           string            `yaml:"process_name"`
	NumProcs              *int              `yaml:"numprocs"`
	NumProcsStart         *int              `yaml:"numprocs_start"`
	Priority              *int              `yaml:"priority"`
	AutoStart             *bool             `yaml:"autostart"`
	StartSecs             *int              `yaml:"startsecs"`
	StartRetries          *int              `yaml:"startretries"`
	AutoRestart           autorestart       `yaml:"autorestart"`
	ExitCodes             []int             `yaml:"exitcodes"`
	StopSignal            signal            `yaml:"stopsignal"`
	StopWaitSecs          *int              `yaml:"stopwaitsecs"`
	StopAsGroup           *bool             `yaml:"stopasgroup"`
	KillAsGroup           *bool             `yaml:"killasgroup"`
	User                  string            `yaml:"user"`
	RedirectStderr        *bool             `yaml:"redirect_stderr"`
	StdoutLogfile         string            `yaml:"stdout_logfile"`
	StdoutLogfileMaxBytes size              `yaml:"stdout_logfile_maxbytes"`
	StdoutLogfileBackups  *int              `yaml:"stdout_logfile_backups"`
	StdoutCaptureMaxBytes size              `yaml:"stdout_capture_maxbytes"`
	StdoutEventsEnabled   *bool             `yaml:"stdout_events_enabled"`
	StdoutSyslog          *bool             `yaml:"stdout_syslog"`
	StderrLogfile         string            `yaml:"stderr_logfile"`
	StderrLogfileMaxBytes size              `yaml:"stderr_logfile_maxbytes"`
	StderrLogfileBackups  *int              `yaml:"stderr_logfile_backups"`
	StderrCaptureMaxBytes size              `yaml:"stderr_capture_maxbytes"`
	StderrEventsEnabled   *bool             `yaml:"stderr_events_enabled"`
	StderrSyslog          *bool             `yaml:"stderr_syslog"`
	Environment           map[string]string `yaml:"environment"`
	Directory             string            `yaml:"directory"`
	Umask                 umask             `yaml:"umask"`
	ServerURL             string            `yaml:"serverurl"`
}

// FCGIProgram is a program that shares a socket.
type FCGIProgram struct {
	Program       `yaml:",inline"`
	Socket        string `yaml:"socket"`
	SocketBacklog *int   `yaml:"socket_backlog"`
	SocketOwner   string `yaml:"socket_owner"`
	SocketMode    umask  `yaml:"socket_mode"`
}

// EventListener is a program that hears of events.
type EventListener struct {
	Program       `yaml:",inline"`
	Events        []string `yaml:"events"`
	BufferSize    *int     `yaml:"buffer_size"`
	ResultHandler string   `yaml:"result_handler"`
}

// Words of configurations that have a form of their own.
type (
	size        string
	signal      string
	umask       string
	autorestart string
)

var (
	sizeForm  = regexp.MustCompile(`^\d+([KMG]B)?$`)
	umaskForm = regexp.MustCompile(`^0?[0-7]{3}$`)
	envForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	signals   = []string{"TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2"}
	// events are those of Supervisor 4 (reference 2.6).
	events = []string{"EVENT", "PROCESS_STATE", "PROCESS_STATE_STARTING", "PROCESS_STATE_RUNNING", "PROCESS_STATE_BACKOFF", "PROCESS_STATE_STOPPING",
		"PROCESS_STATE_EXITED", "PROCESS_STATE_STOPPED", "PROCESS_STATE_FATAL", "PROCESS_STATE_UNKNOWN", "REMOTE_COMMUNICATION", "PROCESS_LOG",
		"PROCESS_LOG_STDOUT", "PROCESS_LOG_STDERR", "PROCESS_COMMUNICATION", "PROCESS_COMMUNICATION_STDOUT", "PROCESS_COMMUNICATION_STDERR",
		"SUPERVISOR_STATE_CHANGE", "SUPERVISOR_STATE_CHANGE_RUNNING", "SUPERVISOR_STATE_CHANGE_STOPPING", "TICK", "TICK_5", "TICK_60", "TICK_3600",
		"PROCESS_GROUP", "PROCESS_GROUP_ADDED", "PROCESS_GROUP_REMOVED"}
)

// validate refuses what supervisord would take silently or only find out when it is too late.
func (p Program) validate() error {
	errs := []error{p.checkWords()}
	if p.Command == "" {
		errs = append(errs, errors.New("command is missing"))
	}
	if n := p.NumProcs; n != nil && (*n < 1 || *n > 1 && !strings.Contains(p.ProcessName, "%(process_num)")) {
		errs = append(errs, errors.New("numprocs above 1 wants a process_name with %(process_num), such as %(program_name)s_%(process_num)02d"))
	}
	if p.StopAsGroup != nil && *p.StopAsGroup && p.KillAsGroup != nil && !*p.KillAsGroup {
		errs = append(errs, errors.New("stopasgroup: true with killasgroup: false leaves children behind; supervisord refuses it"))
	}
	for _, k := range sortedKeys(p.Environment) {
		if _, err := quoteEnv(p.Environment[k]); err != nil || !envForm.MatchString(k) {
			errs = append(errs, fmt.Errorf("environment %s: a name is letters, digits and _, a value one line with at most one kind of quotes", k))
		}
	}
	for _, path := range []string{p.Directory, p.StdoutLogfile, p.StderrLogfile} {
		if path != "" && !strings.HasPrefix(path, "/") && path != "AUTO" && path != "NONE" && path != "syslog" {
			errs = append(errs, fmt.Errorf("%q is not a whole path: what it would be relative to differs between versions", path))
		}
	}
	return errors.Join(errs...)
}

func (p Program) checkWords() error {
	var errs []error
	check := func(key, value string, ok bool, want string) {
		if value != "" && !ok {
			errs = append(errs, fmt.Errorf("%s: %q is not %s", key, value, want))
		}
	}
	for key, v := range map[string]size{"stdout_logfile_maxbytes": p.StdoutLogfileMaxBytes, "stderr_logfile_maxbytes": p.StderrLogfileMaxBytes,
		"stdout_capture_maxbytes": p.StdoutCaptureMaxBytes, "stderr_capture_maxbytes": p.StderrCaptureMaxBytes} {
		check(key, string(v), sizeForm.MatchString(string(v)), "a number of bytes, or one with KB, MB or GB")
	}
	check("stopsignal", string(p.StopSignal), slices.Contains(signals, string(p.StopSignal)), "one of "+strings.Join(signals, ", "))
	check("umask", string(p.Umask), umaskForm.MatchString(string(p.Umask)), "three octal digits in quotes")
	check("autorestart", string(p.AutoRestart), slices.Contains([]string{"true", "false", "unexpected"}, string(p.AutoRestart)), "true, false or unexpected")
	lines := reflect.ValueOf(p)
	for i := range lines.NumField() {
		if f := lines.Field(i); f.Kind() == reflect.String && strings.ContainsAny(f.String(), "\n\r") {
			errs = append(errs, fmt.Errorf("%s: more than one line", lines.Type().Field(i).Tag.Get("yaml")))
		}
	}
	return errors.Join(errs...)
}

func (p FCGIProgram) validate() error {
	err := p.Program.validate()
	if !strings.HasPrefix(p.Socket, "unix:///") && !strings.HasPrefix(p.Socket, "tcp://") {
		err = errors.Join(err, fmt.Errorf("socket: %q is not unix:///PATH or tcp://HOST:PORT", p.Socket))
	}
	return err
}

func (p EventListener) validate() error {
	err := p.Program.validate()
	if len(p.Events) == 0 {
		err = errors.Join(err, errors.New("events are missing"))
	}
	for _, e := range p.Events {
		if !slices.Contains(events, e) {
			err = errors.Join(err, fmt.Errorf("events: %q is none of Supervisor's", e))
		}
	}
	if p.StdoutCaptureMaxBytes+p.StderrCaptureMaxBytes != "" || p.RedirectStderr != nil && *p.RedirectStderr {
		err = errors.Join(err, errors.New("an event listener speaks its protocol on standard output: no capture, no redirect_stderr"))
	}
	return err
}

// section writes one section: the keys of v that are set, in the order of its fields.
func section(head string, v any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s]\n", head)
	writeKeys(&b, reflect.ValueOf(v))
	return b.String()
}

func writeKeys(b *strings.Builder, v reflect.Value) {
	for i := range v.NumField() {
		f, key := v.Field(i), strings.Split(v.Type().Field(i).Tag.Get("yaml"), ",")[0]
		if f.Kind() == reflect.Struct {
			writeKeys(b, f)
		} else if text := value(f); text != "" {
			fmt.Fprintf(b, "%s = %s\n", key, text)
		}
	}
}

// value is a field as supervisord reads it; empty when it is not set.
func value(f reflect.Value) string {
	switch x := f.Interface().(type) {
	case *int:
		if x != nil {
			return strconv.Itoa(*x)
		}
	case *bool:
		if x != nil {
			return strconv.FormatBool(*x)
		}
	case []int:
		return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(x)), ","), "[]")
	case []string:
		return strings.Join(x, ",")
	case map[string]string:
		return environment(x)
	default:
		return f.String()
	}
	return ""
}

func environment(env map[string]string) string {
	var out []string
	for _, k := range sortedKeys(env) {
		v, _ := quoteEnv(env[k]) // validate refused the others
		out = append(out, k+"="+v)
	}
	return strings.Join(out, ",")
}

// quoteEnv quotes a value for supervisord, which knows no escapes inside of quotes, and doubles percent signs, which
// it would expand.
func quoteEnv(v string) (string, error) {
	quote := `"`
	if strings.Contains(v, quote) {
		quote = "'"
	}
	if strings.Contains(v, quote) || strings.ContainsAny(v, "\n\r") {
		return "", errors.New("it cannot be quoted")
	}
	return quote + percent(v) + quote, nil
}
