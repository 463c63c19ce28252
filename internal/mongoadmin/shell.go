package mongoadmin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// Shell is the guest's own client, mongosh or the older mongo.
type Shell struct{ Guest guest.Runner }

// forShell tells whether the guest's shell may succeed where the driver did not: OpenSSH's AllowTcpForwarding no ("open
// failed: administratively prohibited"), or a server below the driver's range.
func forShell(err error) bool {
	text := err.Error()
	return strings.Contains(text, "administratively prohibited") || strings.Contains(text, "but this version of the Go driver requires")
}

// shellScript finds the client and gives it the script that arrives on standard input, behind a pipe: OpenSSH may make
// standard input a socket, which cannot be opened by its name. Nothing secret is an argument.
const shellScript = `for c in mongosh mongo; do
	if command -v $c >/dev/null 2>&1; then cat | "$c" --quiet --norc --nodb /dev/stdin; exit $?; fi
done
echo "neither mongosh nor mongo is there" >&2; exit 127`

// shellMark stands before the one line that counts: a shell prints warnings as it likes.
const shellMark = "boxdoctor-answer "

// shellProgram runs one command and prints its answer as extended JSON. Errors are answers, too. The names of functions
// differ between the two shells.
const shellProgram = `(function () {
	var q = %s, out;
	var show = (typeof EJSON !== 'undefined') ? function (x) { return EJSON.stringify(x, { relaxed: false }); } : function (x) { return tojson(x, '', true); };
	try {
		var c = new Mongo(q.uri), db = c.getDB('admin');
		if (q.user && q.user !== '') { db.auth({ user: q.user, pwd: q.password, mechanism: 'SCRAM-SHA-256' }); }
		out = { answer: db.runCommand((typeof EJSON !== 'undefined') ? EJSON.parse(q.command) : JSON.parse(q.command)) };
	} catch (e) {
		var code = e.code || (/auth/i.test(String(e)) ? 18 : 0);
		out = { code: code, name: String(e.codeName || ''), message: String(e.message || e) };
	}
	print('%s' + show(out));
})();
`

// shellAdmin is one member by the shell, one process for each command.
type shellAdmin struct {
	shell *Shell
	port  int
	as    replset.Credential
}

// enter proves that the member answers, and the login.
func (s *Shell) enter(ctx context.Context, port int, as replset.Credential) (replset.Admin, error) {
	a := shellAdmin{s, port, as}
	_, err := a.Command(ctx, bson.D{{Key: "ping", Value: 1}})
	return a, err
}

// shellAnswer is what the program prints.
type shellAnswer struct {
	Answer  bson.Raw `bson:"answer"`
	Code    int      `bson:"code"`
	Name    string   `bson:"name"`
	Message string   `bson:"message"`
}

// Command runs one command on the database admin.
func (a shellAdmin) Command(ctx context.Context, cmd bson.D) (bson.Raw, error) {
	program, err := a.program(cmd)
	if err != nil {
		return nil, err
	}
	res, err := a.shell.Guest.Run(ctx, guest.Cmd{Name: "mongosh " + cmd[0].Key, Argv: []string{"sh", "-c", shellScript},
		Stdin: strings.NewReader(program), Timeout: time.Minute, Limit: 1 << 20})
	_, line, found := strings.Cut("\n"+string(res.Stdout), "\n"+shellMark)
	if !found {
		if err == nil {
			err = errors.New("the guest's MongoDB shell gave no answer")
		}
		return nil, err
	}
	line, _, _ = strings.Cut(line, "\n")
	return read(line)
}

func (a shellAdmin) program(cmd bson.D) (string, error) {
	command, err := bson.MarshalExtJSON(cmd, false, false)
	if err != nil {
		return "", err
	}
	question, err := json.Marshal(map[string]string{"uri": fmt.Sprintf("mongodb://127.0.0.1:%d/admin?directConnection=true&serverSelectionTimeoutMS=5000", a.port),
		"user": a.as.User, "password": a.as.Password, "command": string(command)})
	return fmt.Sprintf(shellProgram, question, shellMark), err
}

// read turns the printed answer into what the driver would have given.
func read(line string) (bson.Raw, error) {
	var out shellAnswer
	if err := bson.UnmarshalExtJSON([]byte(line), false, &out); err != nil {
		return nil, fmt.Errorf("the answer of the guest's MongoDB shell is not understood: %w", err)
	}
	var said struct {
		OK   float64 `bson:"ok"`
		Code int     `bson:"code"`
		Name string  `bson:"codeName"`
		Text string  `bson:"errmsg"`
	}
	if out.Answer == nil {
		if out.Code == 0 {
			return nil, errors.New(out.Message)
		}
		return nil, &replset.CodeError{Code: out.Code, Name: out.Name, Message: out.Message}
	}
	if err := bson.Unmarshal(out.Answer, &said); err != nil {
		return nil, err
	}
	if said.OK != 1 {
		return nil, &replset.CodeError{Code: said.Code, Name: said.Name, Message: said.Text}
	}
	return out.Answer, nil
}
