package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/engine"
)

// demoGuest is a guest that lives inside this process.
type demoGuest interface {
	Machine() engine.Machine
	Close() error
}

type demoOptions struct{ Output outputFlags }

func newDemoCmd(a *app, run func(context.Context, *demoOptions) error) *cobra.Command {
	o := &demoOptions{}
	return &cobra.Command{
		Use: "demo", Short: "Examine and repair a built-in sick machine",
		Annotations: withExitCodes, Args: noWords,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), o) },
	}
}

func (a *app) runDemo(ctx context.Context, o *demoOptions) error { return nil }

func startDemo(ctx context.Context) (demoGuest, error) { return nil, nil }
