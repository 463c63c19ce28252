package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// listening is a synthetic supervisord at a unix socket that wants the login joe:geheim.
func listening(t *testing.T, dir string) {
	t.Helper()
	l, err := net.Listen("unix", dir+"/s.sock")
	if err != nil {
		t.Skip(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		switch {
		case user != "joe" || password != "geheim":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/RPC2" || r.Header.Get("Content-Type") != "text/xml":
			w.WriteHeader(http.StatusNotFound)
		case string(body) == "long":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 4<<20+1))
		case string(body) == "fail":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			fmt.Fprintf(w, "heard %s", body)
		}
	}))
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

const config = "; a comment\n[unix_http_server]\nfile = %(here)s/s.sock ; here\nusername = joe\npassword = {SHA}906072001efddf3e11e6d2b5782f4777fe038739\n[supervisorctl]\nusername = joe\npassword = geheim\n"

// pythons are the oldest and the newest that are here: on the path, and those of pyenv.
func pythons() []string {
	var out []string
	home, _ := os.UserHomeDir()
	for _, v := range []string{"2.6", "2.7", "3", "3.6", "3.13"} {
		path, err := exec.LookPath("python" + v)
		if found, _ := filepath.Glob(home + "/.pyenv/versions/" + v + ".*/bin/python"); len(v) > 1 && len(found) > 0 {
			path, err = found[0], nil
		}
		if err == nil && exec.Command(path, "-c", "").Run() == nil {
			out = append(out, path)
		}
	}
	return out
}

// The relay by every Python that is here: the login of the configuration, answers, failures of one request and of all.
func TestRelay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("guests are not Windows")
	}
	dir, err := os.MkdirTemp("", "relay") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listening(t, dir)
	for name, text := range map[string]string{"good": config, "bare": strings.ReplaceAll(config, "geheim", "falsch"), "away": strings.ReplaceAll(config, "s.sock", "x.sock"),
		"none": "[supervisord]\n", "broken": "[supervisord\n", "inet": "[inet_http_server]\nport = *:1\n", "ö": config} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for _, python := range pythons() {
		found++
		for _, c := range []struct{ config, request, error, answer string }{
			{"good", "hello", "", "heard hello"},
			{"ö", "hello", "", "heard hello"},
			{"good", "fail", "", "<nil>"},
			{"good", "long", "the answer is longer than", ""},
			{"bare", "hello", "HTTP status 401", ""},
			{"away", "hello", "DOWN", ""},
			{"inet", "hello", "DOWN", ""},
			{"none", "hello", "nothing can be asked", ""},
			{"broken", "hello", "contains no section headers", ""},
			{"missing", "hello", "", ""},
		} {
			relayed(t, python, dir+"/"+c.config, c.request, c.error, c.answer)
		}
	}
	if found == 0 {
		t.Skip("no Python is here")
	}
}

func relayed(t *testing.T, python, file, request, wantError, wantAnswer string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, "-E", "-S", "-c", relayProgram, file, "10", request, "again").Output()
	var got struct {
		Instances []struct {
			reply
			Answers []*[]byte `json:"answers"`
		} `json:"instances"`
	}
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil || len(got.Instances) != 1 || got.Instances[0].Config != file {
		t.Errorf("%s %s: %v %s", python, file, err, out)
		return
	}
	i, answer := got.Instances[0], ""
	if len(i.Answers) > 0 {
		answer = "<nil>"
		if i.Answers[0] != nil {
			answer = string(*i.Answers[0])
		}
	}
	if answer != wantAnswer || i.Down != (wantError == "DOWN") || wantError == "" && wantAnswer != "" && (i.Error != "" || len(i.Answers) != 2) ||
		wantError != "" && wantError != "DOWN" && !strings.Contains(i.Error, wantError) || strings.Contains(string(out), "geheim") {
		t.Errorf("%s %s %s: %q, error %q, down %t; want %q %q", python, filepath.Base(file), request, answer, i.Error, i.Down, wantAnswer, wantError)
	}
}

// A guest without Python has no Supervisor; one whose configuration is there is another matter, which the lab shows.
func TestRelayWithoutPython(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("guests are not Windows")
	}
	for _, sh := range []string{"dash", "bash", "busybox"} {
		path, err := exec.LookPath(sh)
		if err != nil {
			continue
		}
		args := []string{path, "-c", relayScript, "sh", relayProgram, "", "10"}
		if sh == "busybox" {
			args = append([]string{path, "sh"}, args[1:]...)
		}
		for _, f := range []string{"/usr/libexec/platform-python", "/etc/supervisor/supervisord.conf", "/etc/supervisord.conf", "/opt/boxdoctor"} {
			if _, err := os.Stat(f); err == nil {
				t.Skip(f + " is here")
			}
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = []string{"PATH=" + t.TempDir()}
		if out, err := cmd.Output(); err != nil || string(out) != "{\"instances\": []}\n" {
			t.Errorf("%s: %q %v", sh, out, err)
		}
	}
}
