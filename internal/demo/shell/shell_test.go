package shell_test

import (
	"bytes"
	"context"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/demo/coreutils"
	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
	"github.com/boxdoctor/boxdoctor/internal/demo/shell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is a bare tree with a shell and the everyday programs.
func machine(t *testing.T) *kernel.Kernel {
	t.Helper()
	fs := memfs.New(&memfs.Volume{Source: "/dev/sda1", FSType: "ext4"}, time.Now)
	progs := coreutils.Programs()
	progs["sh"] = shell.Main
	for _, d := range []string{"/bin", "/usr/bin", "/tmp", "/etc", "/dev", "/root", "/home/u"} {
		if err := fs.MkdirAll(memfs.Root, d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name := range progs {
		if err := fs.WriteFile(memfs.Root, coreutils.Dir(name)+"/"+name, kernel.Image(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fs.Chmod(memfs.Root, "/tmp", 0o777)
	fs.Chown(memfs.Root, "/home/u", 500, 500, true)
	fs.Mknod("/dev/null", 0o666, memfs.NullDevice{})
	fs.WriteFile(memfs.Root, "/etc/hostname", []byte("embedded\n"), 0o644)
	fs.WriteFile(memfs.Root, "/etc/passwd", []byte("root:x:0:0::/root:/bin/sh\nu:x:500:500::/home/u:/bin/sh\n"), 0o644)
	k := kernel.New(t.Context(), fs, progs)
	t.Cleanup(k.Stop)
	return k
}

type result struct {
	out, err string
	code     int
}

func run(k *kernel.Kernel, uid int, stdin string, argv ...string) result {
	var out, errb kernel.Buffer
	env := map[string]string{"PATH": "/bin:/usr/bin", "HOME": "/tmp", "LC_ALL": "C"}
	p := k.Login(memfs.Cred{UID: uid, GID: uid}, []string{"sshd"}, env, "/tmp", kernel.Text(stdin), &out, &errb)
	st := p.Do(func() int { return p.Exec(argv) })
	return result{string(out.Bytes()), string(errb.Bytes()), st}
}

// scripts behave the same in a real POSIX shell: the test asks the machine's own bash in POSIX mode, which is
// what /bin/sh is on CentOS.
var scripts = map[string]string{
	"quotes":         `a='x  y'; b="$a"; printf '%s|' $a "$b" '$a' "a\$b" a\ b; echo`,
	"defaults":       `unset x; echo "${x-d}" "${x:-e}" "${x:=f}" "$x" "${#x}" "${x+set}"; y=/usr/lib/x.tar.gz; echo "${y##*/}" "${y%.*}" "${y%%.*}" "${y#/usr}"`,
	"arith":          `i=3; i=$((i+1)); echo $((i*2)) $((7/2)) $((7%3)) $((i>3)) $((1<<4))`,
	"if":             `if [ 1 -eq 2 ]; then echo a; elif test b = b; then echo c; else echo d; fi; if false; then :; fi; echo $?`,
	"loops":          `for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done; n=0; while [ $n -lt 3 ]; do n=$((n+1)); done; echo $n; until [ $n = 0 ]; do n=$((n-1)); done; echo $n`,
	"break2":         `for i in 1 2; do for j in a b; do echo $i$j; break 2; done; done; echo end`,
	"case":           `for f in a.c b.h z '[x]' 'a*'; do case $f in *.c) echo c;; [b-d]*|q) echo bd;; '[x]') echo br;; a\*) echo star;; *) echo other;; esac; done`,
	"functions":      `f() { local a=in; echo "$a $1 $#"; return 3; }; a=out; f 1 2; echo $? $a`,
	"subshell":       `x=1; (x=2; echo $x; exit 4); echo $? $x`,
	"set-e":          `set -e; false || echo kept; if false; then :; fi; ! true; (false) || echo sub; echo before; false; echo never`,
	"set-e-func":     `set -e; f() { false; echo not; }; f || echo caught; f; echo never`,
	"set-e-subst":    `set -e; x=$(false) || echo subst; x=$(exit 3); echo never`,
	"set-u":          `set -u; echo "${a-ok}"; echo "$nope"; echo never`,
	"pipe":           `printf 'b\na\nc\n' | sort | head -n 2 | tr a-z A-Z; false | true; echo $?; true | false; echo $?`,
	"pipe-while":     `x=0; printf '1\n2\n' | while read -r l; do x=$((x+l)); echo $x; done; echo $x`,
	"heredoc":        "v=1; cat <<E\na $v $(echo s) \\$v\n\tt\nE\ncat <<'E'\nb $v\nE\ncat <<-E\n\tc $v\n\t\td\n\tE\n",
	"redirect":       `cd /tmp; f=bd$$; echo a >$f; echo b >>$f; cat <$f; { echo c; echo d >&2; } >$f 2>&1; cat $f; exec 3<$f; read l <&3; echo "got $l"; read l <&3; echo "got $l"; exec 3<&-; rm $f`,
	"fds":            `{ echo out; echo err >&2; } 3>&1 1>&2 2>&3 3>&- | cat`,
	"exec-out":       `f=/tmp/bde$$; exec 4>&1 >$f; echo hidden; exec >&4 4>&-; cat $f; rm $f`,
	"exec-cmd":       `trap 'echo no' EXIT; (exec echo replaced; echo never); trap - EXIT; exec echo gone; echo never`,
	"trap-exit":      `trap 'echo bye $?' EXIT; echo hi; exit 5`,
	"trap-sub":       `(trap 'echo sub' EXIT; true); echo after; f() { trap 'echo fn' EXIT; }; f; echo last`,
	"trap-exit-code": `trap 'exit 9' EXIT; false`,
	"trap-term":      `trap 'echo got' TERM; kill -TERM $$; echo after`,
	"wait":           `(exit 7) & p=$!; wait $p; echo $?; sleep 0.01 & wait; echo $?; wait 999999; echo $?`,
	"bg-order":       `{ sleep 0.05; echo second; } & echo first; wait`,
	"kill":           `sleep 5 & p=$!; kill -0 $p && echo alive; kill $p; wait $p 2>/dev/null; echo $?; kill -0 $p 2>/dev/null || echo dead`,
	"read":           `printf 'a b  c\nx:y:z\n  lead trail  \nback\\slash\nno newline' | { read -r a b; echo "[$a][$b]"; IFS=: read -r a b; echo "[$a][$b]"; read -r l; echo "[$l]"; IFS= read -r l; echo "[$l]"; IFS= read -r l; echo "$?[$l]"; }`,
	"read-ifs":       `printf '  lead trail  \n' | { IFS= read -r l; echo "[$l]"; }; printf 'a:b:\n' | { IFS=: read x y; echo "[$x][$y]"; }; printf 'a:\n' | { IFS=: read x; echo "[$x]"; }; printf 'a\\\nb c\n' | { read x y; echo "[$x][$y]"; }`,
	"read-exact":     `printf 'one\ntwo\nthree\n' | { read -r a; cat; }`,
	"params":         `set -- a 'b c' d; echo $# "$1" "$2"; for i; do echo "<$i>"; done; shift; echo "$*" $#; set -- "$@" e; echo $#; IFS=,; echo "$*"`,
	"at":             `f() { echo $#; }; set --; f "$@"; set -- '' ''; f "$@"; f $@`,
	"split":          `v='a b	c'; set -- $v; echo $#; IFS=:; v=a:b; set -- $v; echo $# "$2"; unset IFS; v='*'; set -f; echo $v`,
	"glob":           `mkdir /tmp/gl$$; cd /tmp/gl$$; touch a1 a2 .h 'b c'; echo a* ; echo *; echo nomatch*; echo .h*; for f in *\ *; do echo "[$f]"; done; cd /; rm -r /tmp/gl$$`,
	"eval":           `x='echo $((1+1)); y=5'; eval "$x"; echo $y; eval ''; echo $?; eval 'exit 3'`,
	"eval-stdin":     `IFS= read -r line && eval "$line"` + "\n" + `echo from stdin; echo 'x  y'` + "\n",
	"printf":         `printf '%s-%d-%05d-%x-%c|%5s|%-5s|%%\n' a 7 42 255 xyz r l; printf '%s\n' 1 2 3; printf 'a\tb\\n\101\n'; printf '%b' 'q\tz\0101\n'; printf '%.2s|\n' abcdef; printf '%d\n' 0x10; printf x; echo`,
	"test":           `cd /tmp; t=tt$$; touch $t; [ -e $t ] && [ -f $t ] && [ ! -s $t ] && [ ! -d $t ] && [ -r $t ] && [ -w $t ] && [ ! -x $t ] && echo ok; [ -z "" -a -n x ] && echo and; [ "(" = "(" ] && echo paren; [ ! "" ] && echo not; [ 3 -gt 2 ] && [ 2 -le 2 ]; echo $?; ln -s nowhere l$$; [ -L l$$ ] && [ ! -e l$$ ] && echo dangling; rm $t l$$`,
	"and-or":         `true && false || echo or; false && echo no; echo $?; ! false; echo $?`,
	"getopts":        `set -- -a -b val -cd rest; while getopts ab:cd o; do echo "$o ${OPTARG-}"; done; shift $((OPTIND-1)); echo "$1"`,
	"umask":          `umask 077; umask; f=/tmp/um$$; : >$f; ls -l $f | cut -c1-10; rm $f; (umask 0; umask); umask`,
	"command-v":      `command -v echo; f() { :; }; command -v f; command -v nosuchprogram; echo $?; command echo hi`,
	"noclobber":      `f=/tmp/nc$$; : >$f; set -C; (echo x >$f) 2>/dev/null; echo $?; echo y >|$f; cat $f; rm $f`,
	"unset":          `x=1; unset x; echo "${x-gone}"; f() { echo f; }; unset -f f; command -v f; echo $?`,
	"export":         `X=1 sh -c 'echo $X'; X=2; sh -c 'echo "${X-no}"'; export X; sh -c 'echo $X'; Y=a export Z=b; sh -c 'echo $Z'`,
	"sh-c-args":      `sh -c 'echo "$0" "$1" "$#"' name one two; echo 'echo "$1-$2"' | sh -s -- p q; sh -c 'exit 6'; echo $?`,
	"sh-file":        `f=/tmp/sf$$; echo 'echo file "$1"; exit 2' >$f; sh $f arg; echo $?; rm $f`,
	"nested-quotes":  `echo "$(echo "a $(echo 'b  c')")"; echo ` + "`echo back`",
	"subst-newlines": `x=$(printf 'a\n\nb\n\n\n'); printf '[%s]' "$x"; echo`,
	"status":         `false; echo $?; (exit 42); echo $?; nosuch_command_at_all 2>/dev/null; echo $?; x=$(exit 3); echo $?; /etc/passwd 2>/dev/null; echo $?`,
	"dollars":        `[ $$ = "$(echo $$)" ] && echo same; [ $$ != "$(sh -c 'echo $$')" ] && echo other`,
	"source":         `f=/tmp/so$$; echo 'y=$1; return 4; echo no' >$f; set -- outer; . $f; echo $? $y; rm $f`,
	"multi-line":     "f() {\n  echo a |\n    cat\n}\nif true &&\n  f\nthen\n  echo b\nfi\n",
	"comment":        "echo a # b\n# c\necho 'd # e'\n",
	"negated-pipe":   `! true | false; echo $?; set -e; ! false | true; echo reached`,
	"loop-redirect":  `printf 'x\ny\n' >/tmp/lr$$; while read -r l; do echo "-$l"; done </tmp/lr$$; rm /tmp/lr$$`,
	"tilde":          `HOME=/h; echo ~ ~/a "~"; x=~; echo $x`,
	"timeout":        `timeout 5 sh -c 'exit 3'; echo $?; timeout 0.1 sleep 3; echo $?`,
	"syntax-late":    "echo first\nif then\n",
	"unset-error":    `(: "${x:?must be set}") 2>/dev/null || echo failed`,
	"return-loop":    `f() { for i in 1 2; do return 5; done; }; f; echo $?`,
	"cd":             `cd /tmp && pwd; cd / ; pwd; cd /nonexistent 2>/dev/null || echo no; (cd /tmp); pwd`,
	"sed":            `printf 'a=1\nb=2\nc=3\n' | sed -n 's/^b=\(.*\)$/<\1>/p'; printf 'x y\n' | sed -e 's/ /_/' -e 's|y|z|g'; printf '1\n2\n3\n' | sed '2d'; printf '1\n2\n3\n' | sed -n '2,$p'; printf 'a/b\n' | sed 's/[/]/-/; s/b$/&&/'; printf 'k\nv\n' | sed '/k/!d'; printf 'a  b\n' | sed -E 's/ +/ /; s/(a) (b)/\2 \1/'`,
	"grep":           `printf 'foo\nbar\nfoobar\n' >/tmp/g$$; grep -c foo /tmp/g$$; grep -n '^bar$' /tmp/g$$; grep -v foo /tmp/g$$; grep -o 'o*b' /tmp/g$$; grep -E 'fo{2}|x' /tmp/g$$; grep -q nope /tmp/g$$; echo $?; grep -F -e o. -e ba /tmp/g$$; grep -i FOO /tmp/g$$; rm /tmp/g$$`,
	"text":           `printf 'a:b:c\n' | cut -d: -f1,3; printf 'abc\n' | cut -c2-; printf 'b\na\nb\n' | sort -u; printf 'a\na\nb\n' | uniq -c | sed 's/^ *//'; printf '1.10\n1.9\n' | sort -V; printf '10\n9\n' | sort -n; printf 'hello\n' | tr -d l; printf 'aabb\n' | tr -s ab; printf 'x\ny' | wc -l; printf 'abc' | wc -c; printf '1\n2\n3\n' | tail -n 2; printf '12345' | tail -c +3; echo; printf '12345' | head -c 2; echo; printf '1\n2\n3\n' | tail -n +2; printf 'a b\nc d\n' | while read -r x y; do echo $y; done`,
	"files":          `d=$(mktemp -d) && cd $d; mkdir -p a/b; echo x >a/f; cp -p a/f a/g; mv a/g a/b/; ls a; ls a/b; ln -s f a/l; readlink a/l; [ "$(readlink -e a/l)" = "$(cd a && pwd -P)/f" ] && echo resolved; readlink -e a/none; echo $?; chmod 600 a/f; stat -c '%a %s' a/f; find a -type f | sort; rm -r a; ls; rmdir $d; basename /x/y.z .z; dirname /x/y/z; dirname f`,
	"xargs":          `printf 'a b\nc\n' | xargs -n 1 echo; printf 'x\ny\n' | xargs -I{} echo '<{}>'; printf '' | xargs -r echo none; seq 3 | tr '\n' ' '; echo`,
	"hash":           `printf abc | sha256sum; printf abc | md5sum | cut -d' ' -f1; printf abc | cksum; printf 'A\n' | od -An -tx1`,
	"env":            `env -i A=b sh -c 'echo $A' 2>/dev/null || A=b sh -c 'echo $A'; env X=y sh -c 'echo $X'`,
	"sigpipe":        `yes | head -n 2; echo done`,
	"printf-long":    `printf '%s\n' "$(printf 'x%.0s' 1 2 3 4)"; printf '%5.1s|\n' abc; printf '%-3d|%+d\n' 5 6`,
	"dash-underline": `a=b; a=$a$a; echo ${a}c $a-c; echo "${a%b}"; : ${q:=v}; echo $q; echo ${undefined:-"a b"} ${undefined:-c d}`,
}

func TestScriptsBehaveAsInARealShell(t *testing.T) {
	sh, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("this system has no bash to compare with")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the everyday programs of this system are not GNU's")
	}
	k := machine(t)
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), sh, "--posix", "-s")
			cmd.Dir, cmd.Env = "/tmp", []string{"PATH=/bin:/usr/bin", "HOME=/tmp", "LC_ALL=C"}
			cmd.Stdin = strings.NewReader(script)
			var out bytes.Buffer
			cmd.Stdout = &out
			_ = cmd.Run()
			got := run(k, 0, script, "sh")
			if got.out != out.String() {
				t.Errorf("stdout %q, a real sh prints %q (stderr %q)", got.out, out.String(), got.err)
			}
			if got.code != cmd.ProcessState.ExitCode() {
				t.Errorf("exit status %d, a real sh gives %d (stderr %q)", got.code, cmd.ProcessState.ExitCode(), got.err)
			}
		})
	}
}

// TestOwnGlob: the expansion that Windows gets finds the same as the library's.
func TestOwnGlob(t *testing.T) {
	k := machine(t)
	script := "mkdir -p /tmp/g/d1/in /tmp/g/d2 /tmp/g/.h; touch /tmp/g/d1/f.repo /tmp/g/d2/g.repo /tmp/g/file /tmp/g/.h/x '/tmp/g/a b'; cd /tmp/g; v=d1\n" +
		"for f in * */*.repo /tmp/g/d[12]/*.repo \"/tmp/g/$v\"/* none* .h* /tmp/g/*/in '*' /b*/ca[t] a* file*; do echo \"[$f]\"; done"
	want := run(k, 0, "", "sh", "-c", script)
	defer shell.SlashGlob(true)()
	if got := run(k, 0, "", "sh", "-c", script); got != want || !strings.Contains(got.out, "[/tmp/g/d2/g.repo]\n[/tmp/g/d1/f.repo]") {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// own are scripts whose outcome is POSIX' and not bash's, or cannot be asked of a real shell.
func TestOwnCases(t *testing.T) {
	k := machine(t)
	for name, c := range map[string]struct {
		uid         int
		stdin       string
		argv        []string
		out, errHas string
		code        int
	}{
		"background reads nothing": {0, "echo input | { cat & wait; }; echo end\n", []string{"sh"}, "end\n", "", 0},
		"script leaves its input":  {0, "read -r x\nthis line\necho \"[$x]\"\n", []string{"sh", "-s"}, "[this line]\n", "", 0},
		"the transport's first line": {0, "printf '%s|' a 'b c' '$d'; exec sh -s -- 'x  y'\nprintf '<%s>' \"$1\"; cat\nrest of\nthe input", []string{"sh", "-c", `IFS= read -r boxdoctor && eval "$boxdoctor"`},
			"a|b c|$d|<x  y>rest of\nthe input", "", 0},
		"unknown command":            {0, "", []string{"sh", "-c", "no-such-command"}, "", "sh: no-such-command: command not found", 127},
		"the real machine is hidden": {0, "", []string{"sh", "-c", "cat /etc/hostname; ls /proc /usr/lib /home; cat /proc/self/status /usr/bin/env"}, "embedded\n/home:\nu\n", "No such file", 1},
		"real programs do not run":   {0, "", []string{"sh", "-c", "/usr/bin/python3 -c 'print(1)'; go version; curl localhost"}, "", "No such file or directory", 127},
		"a binary that is none":      {0, "", []string{"sh", "-c", "printf '\\177ELF\\2\\1' >/tmp/x; chmod +x /tmp/x; /tmp/x"}, "", "cannot execute binary file", 126},
		"tilde asks the tree":        {0, "", []string{"sh", "-c", "echo ~u ~nobody-here"}, "/home/u ~nobody-here\n", "", 0},
		"arrays are no POSIX":        {0, "", []string{"sh", "-c", "a=(1 2); echo no"}, "", "syntax error", 2},
		"[[ is no POSIX":             {0, "", []string{"sh", "-c", "[[ a = b ]]"}, "", "command not found", 127},
		"a user may not":             {500, "", []string{"sh", "-c", "echo x >/etc/passwd; rm /etc/hostname; mkdir /root/x; echo $?"}, "1\n", "Permission denied", 0},
		"unknown option":             {0, "", []string{"ls", "--frobnicate"}, "", "unrecognized option", 2},
		"endless recursion ends":     {0, "", []string{"sh", "-c", "f() { f; }; f"}, "", "nesting level", 2},
		"kill of a stranger":         {500, "", []string{"sh", "-c", "kill 1; kill -0 $$ && echo self"}, "self\n", "No such process", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(k, c.uid, c.stdin, c.argv...)
			if got.out != c.out || got.code != c.code || !strings.Contains(got.err, c.errHas) {
				t.Errorf("got %q, status %d, stderr %q; want %q, %d, %q", got.out, got.code, got.err, c.out, c.code, c.errHas)
			}
		})
	}
}

// TestSessionsAndSignals: what happens to processes when their session hangs up.
func TestSessionsAndSignals(t *testing.T) {
	k := machine(t)
	script := "setsid sh -c 'sleep 1; echo own >/tmp/own' & nohup sh -c 'sleep 1; echo kept >/tmp/kept' & (sleep 1; echo lost >/tmp/lost) & " +
		"(trap 'echo trapped >/tmp/trapped; exit 0' HUP; sleep 1 & wait) & echo started; sleep 3"
	var out kernel.Buffer
	env := map[string]string{"PATH": "/bin:/usr/bin"}
	k.Speed = 10
	p := k.Login(memfs.Root, []string{"sshd"}, env, "/tmp", kernel.Null{}, &out, kernel.Null{})
	p.Go(func() int { return p.Exec([]string{"sh", "-c", script}) })
	for !strings.Contains(string(out.Bytes()), "started") {
		if t.Context().Err() != nil {
			t.Fatal("it did not start")
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // let the children set their traps
	k.HangUp(p.Session())
	<-p.Done()
	if p.Status() != 129 {
		t.Errorf("the session's shell ended with %d, want 129", p.Status())
	}
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) && !(exists(k, "/tmp/own") && exists(k, "/tmp/kept") && exists(k, "/tmp/trapped")) {
		time.Sleep(5 * time.Millisecond)
	}
	for name, want := range map[string]bool{"/tmp/own": true, "/tmp/kept": true, "/tmp/trapped": true, "/tmp/lost": false} {
		if exists(k, name) != want {
			t.Errorf("%s exists: %v, want %v", name, !want, want)
		}
	}
}

func exists(k *kernel.Kernel, name string) bool {
	_, err := k.FS.Stat(memfs.Root, name)
	return err == nil
}

// TestSleepIsFastAndCountsInTheSession: loops that wait by the clock end, and in a fraction of the time.
func TestSleepIsFastAndCountsInTheSession(t *testing.T) {
	k := machine(t)
	began := time.Now()
	got := run(k, 0, "", "sh", "-c", "a=$(date +%s); n=0; while [ $(($(date +%s)-a)) -lt 20 ]; do sleep 2; n=$((n+1)); done; echo $n")
	if got.out != "10\n" || time.Since(began) > 5*time.Second {
		t.Errorf("%q after %s", got.out, time.Since(began))
	}
	if got := run(k, 0, "", "timeout", "5", "sh", "-c", "while :; do sleep 1; done"); got.code != 124 {
		t.Errorf("timeout: status %d, want 124", got.code)
	}
}

// TestStopEndsEverything: processes that wait for each other, for ever, or ignore signals.
func TestStopEndsEverything(t *testing.T) {
	k := machine(t)
	p := k.Login(memfs.Root, []string{"sshd"}, map[string]string{"PATH": "/bin:/usr/bin"}, "/", kernel.Null{}, kernel.Null{}, kernel.Null{})
	p.Go(func() int {
		return p.Exec([]string{"sh", "-c", "trap '' TERM HUP INT; yes | cat >/dev/null & x=$(sleep 100000 | cat) & while :; do :; done"})
	})
	time.Sleep(20 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() { k.Stop(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("Stop hangs")
	}
	if n := len(k.Procs()); n > 0 {
		t.Errorf("%d processes are left", n)
	}
}

// TestNothingReachesTheRealMachine: the packages of the embedded guest cannot start a process, and only what
// makes and reads the host's side of it may use package os.
func TestNothingReachesTheRealMachine(t *testing.T) {
	for _, dir := range []string{".", "../kernel", "../memfs", "../coreutils", "../el6"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, im := range f.Imports {
				path, _ := strconv.Unquote(im.Path.Value)
				banned := path == "os/exec" || path == "syscall" || path == "net" || path == "os/user" || strings.HasPrefix(path, "golang.org/x/sys") || strings.HasSuffix(path, "/interp")
				if banned || path == "os" && filepath.Base(name) != "mount.go" {
					t.Errorf("%s imports %s", name, path)
				}
			}
		}
	}
}

// FuzzShell: whatever the script, the interpreter ends and the real machine's files do not show.
func FuzzShell(f *testing.F) {
	for _, s := range scripts {
		f.Add(s)
	}
	f.Add("while :; do :; done")
	f.Add("f() { f | f & }; f")
	f.Fuzz(func(t *testing.T, script string) {
		k := machine(t)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		defer context.AfterFunc(ctx, k.Kill)()
		if got := run(k, 500, "", "sh", "-c", script); strings.Contains(got.out, "/usr/lib/os-release") && !strings.Contains(script, "os-release") {
			t.Errorf("%q shows the real machine: %q", script, got.out)
		} else if strings.Contains(got.err, "internal fault") {
			t.Errorf("%q: %s", script, got.err)
		}
	})
}
