package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// The examples of docs/examples can be planned on Debian and on EL, and say what they are there to show.
func TestExamples(t *testing.T) {
	says := map[string][]string{
		"gunicorn.yaml":  {"command = /usr/bin/gunicorn --workers 3 --bind 127.0.0.1:8000 qrd.wsgi", "startsecs = 5", "priority = 100"},
		"celery.yaml":    {"stopwaitsecs = 600", "stopasgroup = true", "priority = 1000", "priority = 999", "programs = qrdbeat,qrdworker", "TimeoutStopSec=610"},
		"php-queue.yaml": {"numprocs = 2", "process_name = %(program_name)s_%(process_num)02d", "redirect_stderr = true"},
		"jobs.yaml":      {"programs = queue,qrdbeat,qrdworker", "stopwaitsecs = 600", "[eventlistener:boxdoctor-alerts]"},
	}
	files, err := filepath.Glob("../docs/examples/*.yaml")
	if err != nil || len(files) < len(says) {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(text)
		if err == nil {
			err = c.CheckOn()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Supervisor == nil {
			continue // an example of something else
		}
		for _, sys := range []facts.System{{Manager: "apt", ID: "debian", VersionID: "12", Init: "systemd"}, {Manager: "dnf", ID: "rocky", VersionID: "9.6", Init: "systemd"}} {
			planned := contents(t, string(text), sys)
			for _, want := range says[name] {
				if !strings.Contains(planned, want+"\n") {
					t.Errorf("%s on %s does not say %q:\n%s", name, sys.ID, want, planned)
				}
			}
		}
		delete(says, name)
	}
	if len(says) > 0 {
		t.Errorf("not found: %v", says)
	}
}

// contents are all files of a plan, one after the other.
func contents(t *testing.T, text string, sys facts.System) string {
	t.Helper()
	rs, err := on(t, text, sys)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range rs {
		if f, ok := r.(FileResource); ok {
			b.WriteString(f.Content + "\n")
		}
	}
	return b.String()
}
