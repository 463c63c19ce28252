package finding

import "testing"

func TestUndoExitCode(t *testing.T) {
	item := func(outcomes ...string) UndoMachine {
		m := UndoMachine{Name: "web", Reachable: true}
		for _, o := range outcomes {
			m.Items = append(m.Items, UndoItem{Outcome: o})
		}
		return m
	}
	for name, c := range map[string]struct {
		machines []UndoMachine
		want     int
	}{
		"nothing":                    {nil, ExitOK},
		"all back":                   {[]UndoMachine{item(Undone, Already, Stays)}, ExitOK},
		"one was changed since":      {[]UndoMachine{item(Undone, Skipped)}, ExitFailed},
		"planned":                    {[]UndoMachine{item(Planned)}, ExitFailed},
		"not as it was":              {[]UndoMachine{item(Skipped, Failed)}, ExitUnverified},
		"not known":                  {[]UndoMachine{item(Undone, OutcomeCut)}, ExitUnverified},
		"unreachable":                {[]UndoMachine{item(Undone), {Name: "db", Problem: "refused"}}, ExitUnexamined},
		"unreachable and left alone": {[]UndoMachine{item(Skipped), {Name: "db", Problem: "refused"}}, ExitFailed},
	} {
		r := UndoReport{Machines: c.machines}
		if r.Finish(); r.ExitCode != c.want || r.SchemaVersion != 1 || r.Notes == nil || r.Machines == nil {
			t.Errorf("%s: exit %d, want %d", name, r.ExitCode, c.want)
		}
	}
}
