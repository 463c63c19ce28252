package provision

import (
	"errors"
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// memberNames is that a machine knows the names of all members, before anything is installed. It changes nothing: which
// address is right only the person knows, who can declare it.
type memberNames struct {
	names []string
}

// names are to be known where no addresses are declared and members lie on several machines.
func (v *MongoSpec) names() []Resource {
	if len(v.where()) < 2 || v.Members[0].Address != "" {
		return nil
	}
	out := memberNames{}
	for _, m := range v.Members {
		out.names = append(out.names, or(m.Host, m.Machine))
	}
	out.names = uniq(out.names)
	return []Resource{out}
}

// ID names the step.
func (memberNames) ID() string { return "mongo/names" }

// Needs are the names as the guest resolves them, one line each: NAME ADDRESS, or NAME alone.
func (n memberNames) Needs() Needs {
	return Needs{Commands: map[string]string{"mongo-names": "for n in " + shell.Join(n.names) + `; do echo "$n $(getent hosts "$n" | sed -n '1s/[[:space:]].*//p')"; done`}}
}

// Diff refuses unknown names, and those that lead to the machine itself: with 127.0.1.1, as Vagrant and Debian write it,
// mongod listens where no other member reaches it.
func (n memberNames) Diff(s *State) ([]Change, error) {
	out, err := s.commands.get("mongo-names")
	if err != nil {
		return nil, err
	}
	var unknown, loop []string
	seen := map[string]string{}
	for line := range strings.Lines(out.Text) {
		name, address, _ := strings.Cut(strings.TrimSpace(line), " ")
		seen[name] = address
	}
	for _, name := range n.names {
		switch address := seen[name]; {
		case address == "":
			unknown = append(unknown, name)
		case strings.HasPrefix(address, "127.") || address == "::1":
			loop = append(loop, fmt.Sprintf("%s (%s)", name, address))
		}
	}
	var errs []error
	if len(unknown) > 0 {
		errs = append(errs, fmt.Errorf("this machine does not know the names %s", strings.Join(unknown, ", ")))
	}
	if len(loop) > 0 {
		errs = append(errs, fmt.Errorf("here %s leads to the machine itself, where no other member reaches it", strings.Join(loop, ", ")))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w; declare the address of every member (address: 192.168.56.11), which goes into /etc/hosts, or put the names there yourself; nothing of MongoDB was installed", errors.Join(errs...))
	}
	return nil, nil
}
