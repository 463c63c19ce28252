package probe

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// scripted answers the one call of a probe with a text in which NONCE stands for the nonce.
type scripted struct {
	t      *testing.T
	out    string
	err    error
	trunc  bool
	stream bool
	cmd    guest.Cmd
	calls  int
	tick   func()
}

func (s *scripted) Run(_ context.Context, c guest.Cmd) (guest.Result, error) {
	s.cmd = c
	if s.calls++; s.calls > 1 {
		s.t.Error("more than one session")
	}
	_, rest, ok := strings.Cut(c.Script, "BD_NONCE=")
	nonce, _, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 || len(nonce) != 32 {
		s.t.Fatalf("no nonce in the script: %.60q", c.Script)
	}
	out := strings.ReplaceAll(s.out, "NONCE", nonce)
	if s.stream {
		for i := range len(out) { // byte by byte: the mark arrives in pieces
			if _, err := c.Stdout.Write([]byte(out[i : i+1])); err != nil {
				s.t.Error(err)
			}
		}
	}
	if s.tick != nil {
		s.tick()
	}
	return guest.Result{Stdout: []byte(out), Truncated: s.trunc, Code: 0}, s.err
}

func sect(name, body, code string) string {
	return "\n@@boxdoctor NONCE begin " + name + "\n" + body + "\n@@boxdoctor NONCE end " + name + " " + code + "\n"
}

func TestCollectReasons(t *testing.T) {
	space := "=path /\n=blocks 0\n| Filesystem 1024-blocks Used Available Capacity Mounted on\n| /dev/sda1 100 50 50 50% /\n=inodes 0\n| x\n=mounts 0\n"
	lost := &guest.OutcomeError{Name: "probe", After: 3 * time.Second, Cause: guest.ErrLinkLost}
	for _, c := range []struct {
		name string
		s    scripted
		want map[facts.Key]string // "" means known
	}{
		{"all well", scripted{out: sect("space", space, "0") + sect("security", "=lockdown [none] x\n", "0")}, map[facts.Key]string{facts.KeySpace: "", facts.KeySecurity: ""}},
		{"cut in the middle", scripted{out: sect("space", space, "0") + "@@boxdoctor NONCE begin security\n=lockdown [none]\n", err: lost}, map[facts.Key]string{
			facts.KeySpace: "", facts.KeySecurity: "the probe was cut off after 5s in the middle of section security: step \"probe\""}},
		{"cut before", scripted{out: sect("space", space, "0"), err: lost}, map[facts.Key]string{
			facts.KeySpace: "", facts.KeySecurity: "the probe was cut off after 5s: step \"probe\": cut off after 3s (the connection to the guest was lost)"}},
		{"too much output", scripted{out: sect("space", space, "0"), trunc: true}, map[facts.Key]string{facts.KeySecurity: "the guest printed more than is kept"}},
		{"sh ended early", scripted{out: sect("space", space, "0")}, map[facts.Key]string{facts.KeySecurity: "the guest's sh ended early"}},
		{"limit", scripted{out: sect("space", "=path /\n", "124") + sect("security", "", "137")}, map[facts.Key]string{
			facts.KeySpace: "section space ran into its limit of 20 s", facts.KeySecurity: "section security ran into its limit of 10 s"}},
		{"status", scripted{out: sect("space", "df: command not found\n", "127")}, map[facts.Key]string{facts.KeySpace: "section space ended with status 127: df: command not found"}},
		{"section ended without its end", scripted{out: "@@boxdoctor NONCE begin space\n" + sect("security", "", "0")}, map[facts.Key]string{
			facts.KeySpace: "section space was not finished by the guest", facts.KeySecurity: ""}},
		{"unreadable output", scripted{out: sect("space", space[:20], "0")}, map[facts.Key]string{facts.KeySpace: "section space: df printed 0 lines for 1 paths"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.t = t
			clock := time.Unix(1700000000, 0)
			c.s.tick = func() { clock = clock.Add(5 * time.Second) }
			g, err := Collect(context.Background(), &c.s, []facts.Key{facts.KeySecurity, facts.KeySpace}, Params{}, func() time.Time { return clock })
			if err != nil {
				t.Fatal(err)
			}
			got := map[facts.Key]error{}
			_, got[facts.KeySpace] = g.Space.Get()
			_, got[facts.KeySecurity] = g.Security.Get()
			for k, want := range c.want {
				switch {
				case want == "" && got[k] != nil:
					t.Errorf("%s: %v", k, got[k])
				case want != "" && (got[k] == nil || !errors.Is(got[k], facts.ErrNotCollected) || !strings.Contains(got[k].Error(), want)):
					t.Errorf("%s: got %v, want %q", k, got[k], want)
				}
			}
			if _, err := g.Kernel.Get(); err == nil || err.Error() != "not collected: not requested" {
				t.Errorf("a section that nobody asked for: %v", err)
			}
		})
	}
}

func TestCollectNothing(t *testing.T) {
	refused := errors.New("dial: connection refused")
	s := &scripted{t: t, err: refused}
	g, err := Collect(context.Background(), s, []facts.Key{facts.KeySystem}, Params{}, time.Now)
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if _, err := g.System.Get(); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	s = &scripted{t: t, out: "This account is \x1b[31mcurrently\x1b[0m not available.\n@@boxdoctor 0000 begin system\n"}
	_, err = Collect(context.Background(), s, []facts.Key{facts.KeySystem}, Params{}, time.Now)
	if err == nil || !strings.Contains(err.Error(), "This account is currently not available.") {
		t.Errorf("got %v", err)
	}
	if s = (&scripted{t: t}); true {
		if g, err := Collect(context.Background(), s, nil, Params{}, time.Now); err != nil || s.calls != 0 || g.System.IsKnown() {
			t.Errorf("no keys: %d calls, %v", s.calls, err)
		}
	}
}

// TestCollectCommand: what is sent.
func TestCollectCommand(t *testing.T) {
	s := &scripted{t: t}
	evil := "/x'; rm -rf /; '"
	p := Params{User: "vagrant", Sudo: true, Candidates: []string{"kernel"}, Wanted: []facts.SyncedFolder{{GuestPath: evil, Owner: "o", Group: ""}, {GuestPath: "/b"}}}
	_, _ = Collect(context.Background(), s, allKeys(), p, time.Now)
	if want := []string{"vagrant", "2", evil, "o", "", "/b", "", "", "kernel"}; !reflect.DeepEqual(s.cmd.Args, want) {
		t.Errorf("args %q", s.cmd.Args)
	}
	if strings.Contains(s.cmd.Script, "rm -rf") || !s.cmd.Sudo || s.cmd.Timeout != DefaultTimeoutResolve || s.cmd.Name != "probe" {
		t.Errorf("cmd %+v", s.cmd.Name)
	}
	s = &scripted{t: t}
	_, _ = Collect(context.Background(), s, []facts.Key{facts.KeyClock}, Params{Timeout: time.Second}, time.Now)
	if s.cmd.Timeout != time.Second || strings.Contains(s.cmd.Script, "\nfind_root\n") {
		t.Error("the clock alone needs neither sudo nor another deadline")
	}
}

func TestClock(t *testing.T) {
	base := time.Unix(1700000000, 0)
	for _, c := range []struct {
		name, line  string
		skew, slack time.Duration
		bad         string
	}{
		{"same", "=now 1700000001 000000000\n", 0, time.Second, ""},
		{"ahead", "=now 1700000061 500000000\n", 60*time.Second + 500*time.Millisecond, time.Second, ""},
		{"behind, leading zeros", "=now 1699999999 000000042\n", -2*time.Second + 42, time.Second, ""},
		{"no nanoseconds", "=now 1700000001 N\n", 500 * time.Millisecond, 1500 * time.Millisecond, ""},
		{"empty nanoseconds", "=now 1700000001 \n", 500 * time.Millisecond, 1500 * time.Millisecond, ""},
		{"no date", "sh: date: not found\n=now \n", 0, 0, "seconds since 1970"},
		{"absurd", "=now 99999999999999999 0\n", 0, 0, "seconds since 1970"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := base
			s := &scripted{t: t, out: sect("clock", c.line, "0"), stream: true}
			first := true
			g, err := Collect(context.Background(), s, []facts.Key{facts.KeyClock}, Params{}, func() time.Time {
				if first {
					first = false
					return now
				}
				return base.Add(2 * time.Second) // the line arrives 2 s after the start
			})
			must(t, err)
			got, err := g.Clock.Get()
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("got %+v %v", got, err)
				}
				return
			}
			if err != nil || got.Skew != c.skew || got.Slack != c.slack {
				t.Errorf("got %+v %v, want skew %s slack %s", got, err, c.skew, c.slack)
			}
		})
	}
}
