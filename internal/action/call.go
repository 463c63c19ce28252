package action

import "context"

// Call is one command to a server program of the guest (a database) over a connection that boxdoctor holds. Whoever makes
// it observes the server before and after.
type Call struct {
	Name string
	// Text is the command as it is sent, without secrets.
	Text string
	// Undo is how a person takes it back; Stays is what `boxdoctor undo` leaves, with the way back.
	Undo, Stays string
	// Make sends it, within its own deadline.
	Make func(ctx context.Context) error
}

// Title is the call's name.
func (c Call) Title() string { return c.Name }

// Inverse is the recorded undo.
func (c Call) Inverse() string { return c.Undo }

// Changes: none that `boxdoctor undo` can put back by itself; a server's own history goes on.
func (c Call) Changes() []Change { return nil }

// Lasting is Stays, or how a person takes it back.
func (c Call) Lasting() string {
	if c.Stays == "" {
		return c.Undo
	}
	return c.Stays
}

// String is the command.
func (c Call) String() string { return c.Text }

func (c Call) apply(ctx context.Context, _ *Target) error { return c.Make(ctx) }
