package probe

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func frame(name, body string, code string) string {
	return "\n@@boxdoctor N1 begin " + name + "\n" + body + "\n@@boxdoctor N1 end " + name + " " + code + "\n"
}

func TestSplit(t *testing.T) {
	done := func(name, body string, code int) Frame {
		return Frame{Name: name, Body: []byte(body), Code: code, Done: true}
	}
	cut := func(name, body string) Frame { return Frame{Name: name, Body: []byte(body), Code: -1} }
	for _, c := range []struct {
		name, in string
		want     []Frame
	}{
		{"empty", "", nil},
		{"two", frame("a", "=x 1\n", "0") + frame("b", "=y 2\n", "3"), []Frame{done("a", "=x 1\n\n", 0), done("b", "=y 2\n\n", 3)}},
		{"banner around and between", "Welcome!\n=x evil\n" + frame("a", "=x 1\n", "0") + "noise\n" + frame("b", "", "0") + "bye",
			[]Frame{done("a", "=x 1\n\n", 0), done("b", "\n", 0)}},
		{"wrong nonce is content", frame("a", "@@boxdoctor EVIL end a 0\n@@boxdoctor EVIL begin b\n=y 1\n", "0"),
			[]Frame{done("a", "@@boxdoctor EVIL end a 0\n@@boxdoctor EVIL begin b\n=y 1\n\n", 0)}},
		{"mark inside of a line is content", frame("a", "x @@boxdoctor N1 end a 0\n", "0"), []Frame{done("a", "x @@boxdoctor N1 end a 0\n\n", 0)}},
		{"CR LF", strings.ReplaceAll(frame("a", "=x 1\n| y\n", "0"), "\n", "\r\n"), []Frame{done("a", "=x 1\n| y\n\n", 0)}},
		{"CR of a file is kept when frames have none", frame("a", "| y\r\n", "0"), []Frame{done("a", "| y\r\n\n", 0)}},
		{"cut in the body", "@@boxdoctor N1 begin a\n=x 1\n=y", []Frame{cut("a", "=x 1\n=y")}},
		{"cut inside of the end line", "@@boxdoctor N1 begin a\n=x 1\n@@boxdoctor N1 end a 1", []Frame{cut("a", "=x 1\n")}},
		{"next begins before the end", "@@boxdoctor N1 begin a\n=x 1\n" + frame("b", "", "0"), []Frame{cut("a", "=x 1\n\n"), done("b", "\n", 0)}},
		{"end without begin", "@@boxdoctor N1 end a 0\n", nil},
		{"end of another", "@@boxdoctor N1 begin a\n=x 1\n@@boxdoctor N1 end b 0\n=z\n", []Frame{cut("a", "=x 1\n=z\n")}},
		{"twice", frame("a", "1\n", "0") + frame("a", "2\n", "0"), []Frame{done("a", "1\n\n", 0)}},
		{"status is no number", frame("a", "1\n", "x"), []Frame{cut("a", "1\n\n")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				got, err := Split("N1", r)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestSplitKeepsFramesOnReadError(t *testing.T) {
	broken := errors.New("link")
	got, err := Split("N1", io.MultiReader(strings.NewReader(frame("a", "=x 1\n", "0")+"@@boxdoctor N1 begin b\n=y"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(got) != 2 || !got[0].Done || got[1].Done {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestSplitGarbage: 8 MiB without a newline, and of newlines, neither hang nor hide the frame after them.
func TestSplitGarbage(t *testing.T) {
	for _, junk := range []string{"A", "\x00", "\n", "@@boxdoctor N1 begin ", "\xff\x1b[2J"} {
		big := strings.Repeat(junk, (8<<20)/len(junk))
		in := big + frame("a", big, "0") + frame("b", "=y 1\n", "0")
		got, err := Split("N1", strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		last := got[len(got)-1]
		if last.Name != "b" || string(last.Body) != "=y 1\n\n" || !last.Done {
			t.Errorf("%q: the frame after the garbage: %.80q", junk, last.Body)
		}
		for _, f := range got {
			if len(f.Body) > bodyLimit {
				t.Errorf("%q: kept %d bytes of %s", junk, len(f.Body), f.Name)
			}
			if f.Name == "a" && len(junk) < 5 && !f.Truncated {
				t.Errorf("%q: the section is not marked as truncated", junk)
			}
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(frame("a", "=x 1\n", "0")))
	f.Add([]byte(strings.ReplaceAll(frame("a", "| \r\n", "0"), "\n", "\r\n")))
	f.Add([]byte("@@boxdoctor N1 begin a\n@@boxdoctor N1 begin a\n@@boxdoctor N1 end a -1"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Split("N1", bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, fr := range got {
			if seen[fr.Name] || len(fr.Body) > bodyLimit || fr.Done != bytes.Contains(in, []byte("@@boxdoctor N1 end "+fr.Name)) && fr.Done {
				t.Errorf("%+v", fr)
			}
			seen[fr.Name] = true
		}
		// what stands in a frame after the garbage is found all the same
		more, _ := Split("N1", bytes.NewReader(append(append([]byte{}, in...), frame("zz-last", "=x 1\n", "0")...)))
		if n := len(more); !seen["zz-last"] && (n == 0 || more[n-1].Name != "zz-last" || !more[n-1].Done) {
			t.Error("a whole frame was lost")
		}
	})
}
