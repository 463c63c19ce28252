// Package mongotest is a double of mongod for tests: a small server that speaks OP_MSG on loopback and answers the
// commands that boxdoctor sends as the manual documents them, with the states, codes and messages that a test scripts. It
// keeps configuration documents and users and refuses illegal reconfigurations. It is no database and does not elect:
// who is the primary, and after how many looks, is what the test says. No mongod runs here, and what a real one does beside
// the documented is not shown by tests that use it.
package mongotest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

// server is one member's listener.
type server struct {
	host string
	set  *Set
	ln   net.Listener
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (s *server) serve(ctx context.Context) {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer stop()
			_ = s.talk(c) // the client went away, or the script cut it
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			_ = c.Close()
		})
	}
}

// drop ends all connections.
func (s *server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// maxMessage is the limit of the wire protocol.
const maxMessage = 48_000_000

// talk answers one connection, message by message.
func (s *server) talk(c net.Conn) error {
	link := &link{server: s}
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(size[:])
		if n < 16 || n > maxMessage {
			return errors.New("not a message")
		}
		msg := make([]byte, n)
		copy(msg, size[:])
		if _, err := io.ReadFull(c, msg[4:]); err != nil {
			return err
		}
		if err := link.answer(c, msg); err != nil {
			return err
		}
	}
}

// answer handles one message: OP_MSG, or the OP_QUERY that drivers greet with.
func (l *link) answer(c net.Conn, msg []byte) error {
	_, id, _, op, rest, ok := wiremessage.ReadHeader(msg)
	if !ok {
		return errors.New("no header")
	}
	if op == wiremessage.OpQuery {
		return l.greet(c, id, rest)
	}
	cmd, more, err := readMsg(rest)
	if err != nil {
		return err
	}
	reply, cut := l.run(cmd)
	if cut || more {
		return io.ErrClosedPipe
	}
	i, out := wiremessage.AppendHeaderStart(nil, wiremessage.NextRequestID(), id, wiremessage.OpMsg)
	out = wiremessage.AppendMsgFlags(out, 0)
	out = wiremessage.AppendMsgSectionType(out, wiremessage.SingleDocument)
	return send(c, out, i, reply)
}

func readMsg(rest []byte) (bson.Raw, bool, error) {
	flags, rest, ok := wiremessage.ReadMsgFlags(rest)
	kind, rest, ok2 := wiremessage.ReadMsgSectionType(rest)
	if !ok || !ok2 || kind != wiremessage.SingleDocument {
		return nil, false, errors.New("not an OP_MSG of one document")
	}
	doc, _, ok := wiremessage.ReadMsgSectionSingleDocument(rest)
	if !ok {
		return nil, false, errors.New("no document")
	}
	return bson.Raw(doc), flags&wiremessage.MoreToCome != 0, nil
}

func (l *link) greet(c net.Conn, id int32, rest []byte) error {
	_, rest, _ = wiremessage.ReadQueryFlags(rest)
	_, rest, _ = wiremessage.ReadQueryFullCollectionName(rest)
	_, rest, _ = wiremessage.ReadQueryNumberToSkip(rest)
	_, rest, _ = wiremessage.ReadQueryNumberToReturn(rest)
	query, _, ok := wiremessage.ReadQueryQuery(rest)
	if !ok {
		return errors.New("not a query")
	}
	reply, cut := l.run(bson.Raw(query))
	if cut {
		return io.ErrClosedPipe
	}
	i, out := wiremessage.AppendHeaderStart(nil, wiremessage.NextRequestID(), id, wiremessage.OpReply)
	out = wiremessage.AppendReplyFlags(out, 0)
	out = wiremessage.AppendReplyCursorID(out, 0)
	out = wiremessage.AppendReplyStartingFrom(out, 0)
	out = wiremessage.AppendReplyNumberReturned(out, 1)
	return send(c, out, i, reply)
}

func send(c net.Conn, out []byte, at int32, reply bson.D) error {
	doc, err := bson.Marshal(reply)
	if err != nil {
		return err
	}
	out = append(out, doc...)
	out = bsoncore.UpdateLength(out, at, int32(len(out)))
	_, err = c.Write(out)
	return err
}
