package probe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	frameMark = "@@boxdoctor "
	// bodyLimit is how much of one section is kept; what comes after is dropped.
	bodyLimit = 2 << 20
)

// Frame is what one section printed.
type Frame struct {
	Name string
	Body []byte
	// Code is the section's exit status; -1 while it is not finished.
	Code int
	// Done says that the end was seen. Without it the section was cut.
	Done bool
	// Truncated says that Body is not all of it.
	Truncated bool
}

// Split finds the frames that carry the nonce; everything outside of them (banners, noise) is dropped. A
// frame that begins while another is open closes that one as cut; an end without its begin is noise. Lines
// may end in CR LF: where the begin line does, it is taken off every line of that section. A section that
// comes twice counts once, the first time. Frames come in the order of the stream; the error is the reader's.
func Split(nonce string, r io.Reader) ([]Frame, error) {
	s := splitter{prefix: frameMark + nonce + " ", seen: map[string]bool{}}
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			s.add(line)
			s.inLine = true
			line, err = br.ReadSlice('\n')
		}
		s.line(line)
		if errors.Is(err, io.EOF) {
			return s.frames, nil
		}
		if err != nil {
			return s.frames, err
		}
	}
}

type splitter struct {
	prefix string
	frames []Frame
	seen   map[string]bool
	open   bool
	crlf   bool
	inLine bool // the start of this line was too long for the buffer and is already added
}

// line takes one line, or the rest of one.
func (s *splitter) line(line []byte) {
	if s.inLine || !s.frame(line) {
		s.add(line)
	}
	s.inLine = false
}

// frame handles a frame line and says whether it was one. An end line that lacks its newline is not trusted:
// the stream was cut inside of it.
func (s *splitter) frame(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte(s.prefix))
	if !ok {
		return false
	}
	text, whole := strings.CutSuffix(string(rest), "\n")
	words := strings.Fields(text)
	switch {
	case !whole:
		return true
	case len(words) == 2 && words[0] == "begin":
		s.begin(words[1], strings.HasSuffix(text, "\r"))
	case len(words) == 3 && words[0] == "end":
		s.end(words[1], words[2])
	}
	return true
}

func (s *splitter) begin(name string, crlf bool) {
	s.open = !s.seen[name]
	s.crlf = crlf
	if s.open {
		s.seen[name] = true
		s.frames = append(s.frames, Frame{Name: name, Code: -1})
	}
}

func (s *splitter) end(name, code string) {
	if !s.open || s.frames[len(s.frames)-1].Name != name {
		return
	}
	s.open = false
	n, err := strconv.Atoi(code)
	if err != nil {
		return
	}
	f := &s.frames[len(s.frames)-1]
	f.Code, f.Done = n, true
}

func (s *splitter) add(line []byte) {
	if !s.open {
		return
	}
	f := &s.frames[len(s.frames)-1]
	if s.crlf && bytes.HasSuffix(line, []byte("\r\n")) {
		line = append(line[:len(line)-2:len(line)-2], '\n')
	}
	if room := bodyLimit - len(f.Body); len(line) > room {
		f.Truncated = true
		line = line[:max(room, 0)]
	}
	f.Body = append(f.Body, line...)
}
