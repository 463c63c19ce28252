package kernel

import (
	"context"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// Stream is an open file, pipe end or terminal line. A blocked Read or Write returns when ctx ends.
type Stream interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Close() error
}

// Desc is a Stream that several descriptors share; it is closed with the last one.
type Desc struct {
	s    Stream
	refs atomic.Int32
}

// NewDesc returns a Desc with one user.
func NewDesc(s Stream) *Desc {
	d := &Desc{s: s}
	d.refs.Store(1)
	return d
}

// Ref counts one more user.
func (d *Desc) Ref() *Desc { d.refs.Add(1); return d }

// Close gives one user's reference back.
func (d *Desc) Close() { d.unref() }

func (d *Desc) unref() {
	if d.refs.Add(-1) == 0 {
		d.s.Close()
	}
}

// FD returns a descriptor, nil when it is closed.
func (p *Proc) FD(n int) *Desc { return p.fds[n] }

// SetFD makes n refer to d, which takes over the caller's reference, and closes what n was.
func (p *Proc) SetFD(n int, d *Desc) {
	p.CloseFD(n)
	p.fds[n] = d
}

// CloseFD closes a descriptor; closing a closed one does nothing.
func (p *Proc) CloseFD(n int) {
	if d := p.fds[n]; d != nil {
		delete(p.fds, n)
		d.unref()
	}
}

// TakeFD removes a descriptor without closing it and returns it: the other half of SetFD.
func (p *Proc) TakeFD(n int) *Desc {
	d := p.fds[n]
	delete(p.fds, n)
	return d
}

type fdIO struct {
	p *Proc
	n int
}

func (f fdIO) Read(b []byte) (int, error) {
	d := f.p.fds[f.n]
	if d == nil {
		return 0, memfs.EBADF
	}
	return d.s.Read(f.p.ctx, b)
}

func (f fdIO) Write(b []byte) (int, error) {
	d := f.p.fds[f.n]
	if d == nil {
		return 0, memfs.EBADF
	}
	n, err := d.s.Write(f.p.ctx, b)
	if err == error(memfs.EPIPE) {
		f.p.Signal("PIPE")
	}
	return n, err
}

// Stdin reads descriptor 0.
func (p *Proc) Stdin() io.Reader { return fdIO{p, 0} }

// Stdout writes descriptor 1.
func (p *Proc) Stdout() io.Writer { return fdIO{p, 1} }

// Stderr writes descriptor 2.
func (p *Proc) Stderr() io.Writer { return fdIO{p, 2} }

// Open opens a file of the tree for the process, with its user and umask. /dev/stdin, /dev/fd/N and the like
// are the process' own descriptors.
func (p *Proc) Open(name string, flag int, perm fs.FileMode) (*Desc, error) {
	if n, ok := fdName(name); ok {
		if d := p.fds[n]; d != nil {
			return d.Ref(), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: memfs.ENOENT}
	}
	h, err := p.K.FS.Open(p.Cred, p.Abs(name), flag, perm&^p.Umask)
	if err != nil {
		return nil, err
	}
	return NewDesc(&fileStream{h: h}), nil
}

func fdName(name string) (int, bool) {
	switch name {
	case "/dev/stdin":
		return 0, true
	case "/dev/stdout":
		return 1, true
	case "/dev/stderr":
		return 2, true
	}
	for _, pre := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if s, ok := strings.CutPrefix(name, pre); ok {
			n, err := strconv.Atoi(s)
			return n, err == nil
		}
	}
	return 0, false
}

type descReader struct {
	p *Proc
	d *Desc
}

func (r descReader) Read(b []byte) (int, error)  { return r.d.s.Read(r.p.ctx, b) }
func (r descReader) Write(b []byte) (int, error) { return r.d.s.Write(r.p.ctx, b) }
func (r descReader) Close() error                { r.d.unref(); return nil }

// OpenRead opens a file for reading; "-" is standard input.
func (p *Proc) OpenRead(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin()), nil
	}
	d, err := p.Open(name, memfs.ORead, 0)
	if err != nil {
		return nil, err
	}
	return descReader{p, d}, nil
}

// OpenWrite opens a file for writing with the given flags besides OWrite and OCreate.
func (p *Proc) OpenWrite(name string, flag int, perm fs.FileMode) (io.WriteCloser, error) {
	d, err := p.Open(name, memfs.OWrite|memfs.OCreate|flag, perm)
	if err != nil {
		return nil, err
	}
	return descReader{p, d}, nil
}

type fileStream struct {
	mu sync.Mutex
	h  *memfs.File
}

func (f *fileStream) Read(_ context.Context, p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.h.Read(p)
}

func (f *fileStream) Write(ctx context.Context, p []byte) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.h.Write(p)
}

func (f *fileStream) Close() error { return f.h.Close() }

// pipeSize is how much an unread pipe holds, as on Linux.
const pipeSize = 64 << 10

type pipe struct {
	mu      sync.Mutex
	buf     []byte
	rClosed bool
	wClosed bool
	change  chan struct{} // closed and renewed at every change
}

// Pipe returns the two ends of a pipe.
func Pipe() (r, w Stream) {
	p := &pipe{change: make(chan struct{})}
	return pipeEnd{p, true}, pipeEnd{p, false}
}

type pipeEnd struct {
	*pipe
	reader bool
}

func (p *pipe) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

func (e pipeEnd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reader {
		e.rClosed = true
	} else {
		e.wClosed = true
	}
	e.changed()
	return nil
}

func (e pipeEnd) Read(ctx context.Context, b []byte) (int, error) {
	for {
		e.mu.Lock()
		if len(e.buf) > 0 {
			n := copy(b, e.buf)
			e.buf = e.buf[n:]
			e.changed()
			e.mu.Unlock()
			return n, nil
		}
		ended, ch := e.wClosed, e.change
		e.mu.Unlock()
		if ended {
			return 0, io.EOF
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (e pipeEnd) Write(ctx context.Context, b []byte) (int, error) {
	done := 0
	for done < len(b) {
		e.mu.Lock()
		if e.rClosed || e.wClosed {
			e.mu.Unlock()
			return done, memfs.EPIPE
		}
		n := min(pipeSize-len(e.buf), len(b)-done)
		if n > 0 {
			e.buf = append(e.buf, b[done:done+n]...)
			done += n
			e.changed()
		}
		ch := e.change
		e.mu.Unlock()
		if n > 0 {
			continue
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return done, ctx.Err()
		}
	}
	return done, nil
}

// Null is a stream that is always empty and swallows everything.
type Null struct{}

// Read is at the end at once.
func (Null) Read(context.Context, []byte) (int, error) { return 0, io.EOF }

// Write swallows.
func (Null) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

// Close does nothing.
func (Null) Close() error { return nil }

// Buffer is a stream that collects what is written, at most Limit bytes (zero: no limit).
type Buffer struct {
	mu    sync.Mutex
	b     []byte
	Limit int
}

// Read is at the end at once.
func (b *Buffer) Read(context.Context, []byte) (int, error) { return 0, io.EOF }

// Write collects; what is beyond the limit is dropped.
func (b *Buffer) Write(_ context.Context, p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	keep := p
	if b.Limit > 0 {
		keep = p[:min(len(p), max(0, b.Limit-len(b.b)))]
	}
	b.b = append(b.b, keep...)
	return len(p), nil
}

// Close does nothing.
func (b *Buffer) Close() error { return nil }

// Bytes is what was written so far.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]byte(nil), b.b...)
}

// writerStream is a client's output. After it was cut, writing fails like a pipe without a reader.
type writerStream struct {
	mu  sync.Mutex
	w   io.Writer
	cut bool
}

// Output makes a Stream of a writer; cut makes every later write fail with a broken pipe.
func Output(w io.Writer) (s Stream, cut func()) {
	o := &writerStream{w: w}
	return o, func() { o.mu.Lock(); o.cut = true; o.mu.Unlock() }
}

func (o *writerStream) Read(context.Context, []byte) (int, error) { return 0, memfs.EBADF }

func (o *writerStream) Write(_ context.Context, p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut {
		return 0, memfs.EPIPE
	}
	if n, err := o.w.Write(p); err != nil {
		return n, memfs.EPIPE
	}
	return len(p), nil
}

func (o *writerStream) Close() error { return nil }

type textStream struct {
	mu sync.Mutex
	r  *strings.Reader
}

// Text is a stream that reads as s.
func Text(s string) Stream { return &textStream{r: strings.NewReader(s)} }

func (t *textStream) Read(_ context.Context, p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.r.Read(p)
}

func (t *textStream) Write(context.Context, []byte) (int, error) { return 0, memfs.EBADF }

func (t *textStream) Close() error { return nil }

// Feed makes a Stream of a reader by copying ahead, so that a blocked reader never blocks a process that is
// killed. stop must be called when the session ends; the copying ends with the reader.
func Feed(ctx context.Context, r io.Reader) (s Stream, stop func()) {
	if r == nil {
		return Null{}, func() {}
	}
	rd, wr := Pipe()
	go func() {
		_, _ = io.Copy(streamWriter{ctx, wr}, r)
		wr.Close()
	}()
	return rd, func() { rd.Close() }
}

type streamWriter struct {
	ctx context.Context
	s   Stream
}

func (w streamWriter) Write(p []byte) (int, error) { return w.s.Write(w.ctx, p) }
