package provision

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An application whose file is renamed once a second, and that goes on with the old one for a while, loses no line, whether the agent
// is in step or was away meanwhile: both real programs, where they are in PATH.
func TestRotationLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	for agent, program := range map[string]string{agentFluentBit: "fluent-bit", agentRsyslog: "rsyslogd"} {
		for _, away := range []bool{false, true} {
			t.Run(map[bool]string{false: agent + " in step", true: agent + " away"}[away], func(t *testing.T) {
				program, dir := realAgent(t, program), t.TempDir()
				if agent == agentFluentBit && away {
					t.Skip("Fluent Bit does not look for files that were renamed while it was off; docs/logagent.md says so")
				}
				p := realPlan(t, agent, dir, newSink(t).port())
				crash := p.start(t, program, dir)
				(&world{dir: dir}).write(t, 0, 10)
				becomesTrue(t, "the agent reads", func() bool {
					n, _ := tally(dir + "/out/all.json")
					return n == 10
				})
				if away {
					crash()
				}
				written := rotateLate(t, dir)
				if away {
					p.start(t, program, dir)
				}
				becomesTrue(t, "every line has arrived", func() bool {
					n, _ := tally(dir + "/out/all.json")
					return n == written
				})
				n, twice := tally(dir + "/out/all.json")
				t.Logf("%d written, %d lost, %d twice", written, written-n, twice)
				if written-n > 0 {
					t.Logf("lost are %v", missing(dir+"/out/all.json", written))
				}
			})
		}
	}
}

// rotateLate writes numbered lines for seven seconds. Three times the file is renamed and a new one made, as logrotate does it, and
// the application hears of it only half a second later.
func rotateLate(t *testing.T, dir string) (lines int) {
	t.Helper()
	path := filepath.Join(dir, "app", "a.log")
	lines = 10
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	write := func(d time.Duration) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
			for range 20 {
				if _, err := fmt.Fprintf(f, "2026-11-24T09:30:00.300Z | 10.0.2.15 | - | 1 | id-%07d | RUNTIME | INFO | a line | 1\n", lines); err != nil {
					t.Fatal(err)
				}
				lines++
			}
		}
	}
	for i := range 3 {
		write(time.Second)
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i+1)); err != nil {
			t.Fatal(err)
		}
		next := open()
		write(500 * time.Millisecond)
		_ = f.Close()
		f = next
	}
	write(500 * time.Millisecond)
	_ = f.Close()
	return lines
}
