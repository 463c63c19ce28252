package logline

import (
	"bufio"
	"errors"
	"io"
)

// Reader gives the lines of a stream one after the other, in memory that one line needs.
type Reader struct {
	r *bufio.Reader
	// limit is how much of a line is kept.
	limit int
}

// NewReader reads lines of which at most limit bytes are kept, their ends included.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{bufio.NewReaderSize(r, max(limit, 16)), limit}
}

// Next is the next line with its end, valid until the next call. Of a longer one than the limit it is the beginning, and long says
// so. The last line may lack its end; after it comes io.EOF.
func (r *Reader) Next() (line []byte, long bool, err error) {
	line, err = r.r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		if len(line) > 0 && errors.Is(err, io.EOF) {
			err = nil
		}
		return line, false, err
	}
	line = append([]byte(nil), line[:min(r.limit, len(line))]...)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.r.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return line, true, err
}
