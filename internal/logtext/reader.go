// Package logtext reads text that a person pasted: a terminal's, a log's, a mail's. It gives one cleaned line after the other,
// in bounded memory, and remembers of each where it stood and what may show that it is part of a longer one.
package logtext

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// MaxLine bounds a line: a longer one is read in pieces.
const MaxLine = 8 << 10

// Line is a line of the text after cleaning. Text is only valid until the next one is read.
type Line struct {
	Text []byte
	// Number is the line of the original text, from 1.
	Number int
	// Label is the machine that Vagrant names in front of the line.
	Label string
	// Prefixed: something was taken off its front (a label, a time stamp), so it does not continue the line before.
	Prefixed bool
	// Width is how many columns the original line took on a screen. Indent are the blanks in front.
	Width, Indent int
	// Spaced: it ended in a blank. Cut: it goes on in the next line without a break.
	Spaced, Cut bool
}

// Reader reads lines.
type Reader struct {
	in     *bufio.Reader
	number int
	goesOn bool // the last piece was cut
	err    error
	// parts are lines that one line of the original holds, as JSON writes it.
	parts   [][]byte
	scratch scratch
	labels  labels
}

// NewReader reads UTF-8, and UTF-16 when it has a byte order mark or looks like it.
func NewReader(r io.Reader) *Reader {
	in := bufio.NewReaderSize(r, MaxLine)
	head, _ := in.Peek(4) // an error comes back when lines are read
	if utf16, ok := guessUTF16(head); ok {
		in = bufio.NewReaderSize(transform.NewReader(in, utf16.NewDecoder()), MaxLine)
	} else if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // it was peeked at
	}
	return &Reader{in: in, labels: labels{known: map[string]bool{"default": true}}}
}

// guessUTF16 tells the byte order by the mark, or by the zero bytes of a text that begins with ASCII.
func guessUTF16(head []byte) (encoding.Encoding, bool) {
	if len(head) < 2 {
		return nil, false
	}
	switch {
	case head[0] == 0xff && head[1] == 0xfe, len(head) == 4 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), true
	case head[0] == 0xfe && head[1] == 0xff, len(head) == 4 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM), true
	}
	return nil, false
}

// Next reads the next line into l. It is false at the end of the text and after an error.
func (r *Reader) Next(l *Line) bool {
	for len(r.parts) == 0 {
		if !r.read(l) {
			return false
		}
	}
	part := r.parts[0]
	r.parts = r.parts[1:]
	cut, number := l.Cut && len(r.parts) == 0, l.Number
	*l = Line{Number: number, Cut: cut}
	r.clean(part, l)
	return true
}

// Err is the error that ended the text; nil at its end.
func (r *Reader) Err() error {
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

// read takes one line, or a piece of a long one, off the input and its parts into r.parts.
func (r *Reader) read(l *Line) bool {
	if r.err != nil {
		return false
	}
	raw, err := r.in.ReadSlice('\n')
	cut := errors.Is(err, bufio.ErrBufferFull)
	if err != nil && !cut {
		r.err = err
		if len(raw) == 0 {
			return false
		}
	}
	if !r.goesOn {
		r.number++
	}
	r.goesOn = cut
	*l = Line{Number: r.number, Cut: cut}
	raw = bytes.TrimRight(raw, "\r\n")
	if bytes.Contains(raw, []byte(`\n`)) && escaped(raw) {
		r.parts = r.scratch.unescape(raw)
	} else {
		r.parts = append(r.parts[:0], raw)
	}
	return true
}

// columns is how wide a text is on a screen: East Asian characters take two columns.
func columns(text []byte) int {
	n := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		n++
		if wide(r) {
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff)
}
