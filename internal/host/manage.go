package host

import (
	"context"
	"time"
)

// changeLimit bounds one call of VBoxManage that changes a setting.
const changeLimit = time.Minute

// Manage runs VBoxManage for a repair of the host; run may be nil, then it is really run.
func Manage(ctx context.Context, program string, run Executor, args ...string) error {
	if program == "" {
		return ErrNoManage
	}
	if run == nil {
		run = runProgram
	}
	_, err := manager{path: program, run: run, limit: changeLimit}.call(ctx, args...)
	return err
}
