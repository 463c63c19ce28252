package cmd

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// The JSON of a text keeps its schema, whatever the verdict.
func TestExplainedTextsAreValid(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../docs/schema/explain.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		verdict string
		code    int
	}{
		"modprobe vboxsf failed": {"known", 0}, "stdin: is not a tty": {"harmless", 0}, "nothing": {"unknown", finding.ExitUnexamined},
	} {
		tr := newTrial(t)
		tr.streams = withInput(tr.streams, text)
		tr.run(t, want.code, "explain", "-", "--format", "json")
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(tr.out.String()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got explainedText
		if err := json.Unmarshal(tr.out.Bytes(), &got); err != nil || got.Verdict != want.verdict {
			t.Errorf("%s: %v %q, want %q", text, err, got.Verdict, want.verdict)
		}
	}
}

func TestExplainOnATerminal(t *testing.T) {
	tr := newTrial(t)
	tr.streams.InTTY = true
	tr.run(t, finding.ExitUsage, "explain")
	tr.wantErr(t, "explain needs an ID, a FILE, or -")
	tr = newTrial(t)
	tr.streams.InTTY = true
	tr.run(t, finding.ExitUnexamined, "explain", "-")
	tr.wantErr(t, "Paste the text")
}

// Somebody who waits for a text that never comes can press Ctrl-C.
func TestExplainIsInterrupted(t *testing.T) {
	tr := newTrial(t)
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	tr.streams.In = readerFunc(func(b []byte) (int, error) {
		select {
		case tr.signals <- os.Interrupt:
		default:
		}
		return in.Read(b)
	})
	tr.run(t, finding.ExitInterrupted, "explain", "-")
	tr.wantErr(t, "interrupted")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// A text that breaks off is not taken for one that is known or harmless.
func TestExplainOfABrokenStream(t *testing.T) {
	tr := newTrial(t)
	tr.streams.In = io.MultiReader(strings.NewReader("stdin: is not a tty\n"), iotest.ErrReader(errors.New("the pipe is gone")))
	tr.run(t, finding.ExitUnexamined, "explain", "-")
	tr.wantErr(t, "could not be read to its end: the pipe is gone")
	if tr.out.Len() > 0 {
		t.Errorf("printed %q", tr.out)
	}
}
