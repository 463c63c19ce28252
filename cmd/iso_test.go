package cmd

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/download"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

func TestISOGet(t *testing.T) {
	tr := newTrial(t)
	tr.env[isoBaseEnv] = "http://mirror.example"
	var asked []string
	tr.download = func(_ context.Context, number, dir string, d host.Download) (facts.ISO, error) {
		asked = append(asked, number, dir, d.Base)
		return facts.ISO{Version: "7.0.20", Path: filepath.Join(dir, "x y.iso"), SHA256: strings.Repeat("0", 64), Size: 5, Source: "http://mirror.example/x"}, nil
	}
	tr.run(t, 0, "iso", "get", "7.0.20r163906", "--format", "json")
	if f := valid[foundISO](t, tr, "iso"); f.Version != "7.0.20" || asked[1] != filepath.Join(tr.env[stateEnv], "iso") || asked[2] != "http://mirror.example" {
		t.Errorf("%+v, %q", f, asked)
	}
	dir := t.TempDir()
	tr.out.Reset()
	tr.run(t, 0, "iso", "get", "7.0.20", "--to", dir)
	if !strings.Contains(tr.out.String(), "boxdoctor fix --iso '"+filepath.Join(dir, "x y.iso")+"'") || asked[4] != dir {
		t.Errorf("%s, %q", tr.out, asked)
	}
}

func TestISOErrors(t *testing.T) {
	for args, says := range map[string]string{"iso": "a word: get", "iso got": "Did you mean iso get?", "iso get": "one version", "iso get seven": "seven", "iso get 7.0.20 --to=": "empty value"} {
		tr := newTrial(t)
		tr.run(t, 2, strings.Fields(args)...)
		tr.wantErr(t, says)
	}
	for err, code := range map[error]int{&download.MismatchError{}: 1, &download.StatusError{Code: 404}: 1, &download.StatusError{Code: 503}: 3, errors.New("no network"): 3} {
		tr := newTrial(t)
		tr.download = func(context.Context, string, string, host.Download) (facts.ISO, error) { return facts.ISO{}, err }
		tr.run(t, code, "iso", "get", "7.0.20")
	}
}
