package knowledge

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

// BenchmarkClassify: a log of the size that the probe keeps (64 KiB) that names no cause.
func BenchmarkClassify(b *testing.B) {
	text := strings.Repeat(sample(b, "testdata/healthy/ga-6.1-install.txt"), 64)[:64<<10]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Classify(text)
	}
}

// ordinary is what long logs are made of: package managers, make, the kernel, a web server. None of it is a fault.
var ordinary = []string{
	"==> default: Get:%d http://http.debian.org/debian bookworm/main amd64 libpython3.11-minimal amd64 3.11.2-6+deb12u6 [815 kB]\n",
	"    default: Selecting previously unselected package linux-compiler-gcc-12-x86.\n",
	"    default: Preparing to unpack .../%d-linux-kbuild-6.1_6.1.158-1_amd64.deb ...\n",
	"  CC [M]  /tmp/vbox.0/r0drv/linux/timer-r0drv-linux.o\n",
	"  gcc -Wp,-MD,/tmp/vbox.0/.dirops.o.d -nostdinc -Werror-implicit-function-declaration -Wno-error=date-time -c -o /tmp/vbox.0/dirops.o /tmp/vbox.0/dirops.c\n",
	"[%8d.123456] e1000 0000:00:03.0 eth0: (PCI:33MHz:32-bit) 08:00:27:8d:c0:4d\n",
	"Nov 22 10:00:00 box sshd[%d]: Accepted publickey for vagrant from 10.0.2.2 port 53022 ssh2: ED25519 SHA256:abc\n",
	"2026-11-22T10:00:00.123Z 10.0.2.2 - - \"GET /assets/app-%d.js HTTP/1.1\" 200 51234 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
	"00:00:03.%06d NAT: Guest address guess set to 10.0.2.15 by initialization\n",
	"\x1b[0;32m  Installing : perl-Getopt-Long-1:2.52-4.el9.noarch                 %d/412 \x1b[0m\r\n",
}

// hostile is made of near misses, harmless lines, folded lines and colours: what makes expressions and the joining of lines work.
var hostile = []string{
	"VirtualBox Guest Additions: Kernel headers not found for target kernal %d \n",
	"No package kernel-%d.x86_64 available in the repository kernel-devel-free of this very long and winding name\n",
	"stdin: is not a tty\n",
	"\x1b[31mmake[1]: *** [/tmp/vbox.0/Makefile:%d: vboxsfe] warning 1\x1b[0m\n",
	"mount: wrong fs typo, bad option, bad superblack on /dev/loop%d, missing codepage or helper\n",
	"&quot;Could not resolve host: mirror%d.example.org&quot; ‘from_timer’ &lt;drm/drm_aperture.h&gt;\n",
	"> > The guest additions on this VM %d do not match\tthe installed\tversion of VirtualBox\r\n",
	"(Could not find the X.Org or XFree86 Window System.)\n",
	"{\"stderr\": \"error %d\\nVBoxManage: terror: one\\nVBoxManage: mirror: two\"}\n",
}

// logOf writes a log of some size, with a number that counts where a line has a place for one.
func logOf(lines []string, size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		line := lines[i%len(lines)]
		if strings.Contains(line, "%") {
			line = strings.Replace(strings.Replace(strings.Replace(line, "%8d", number(i), 1), "%06d", number(i), 1), "%d", number(i), 1)
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

func number(i int) string {
	const digits = "0123456789"
	return string([]byte{digits[i/100000%10], digits[i/10000%10], digits[i/1000%10], digits[i/100%10], digits[i/10%10], digits[i%10]})
}

func BenchmarkExplain(b *testing.B) {
	for _, c := range []struct {
		name  string
		lines []string
	}{{"ordinary", ordinary}, {"hostile", hostile}, {"mixed", append(append([]string{}, ordinary...), hostile[0], hostile[4])}} {
		text := logOf(c.lines, 4<<20)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Embedded().Explain(context.Background(), Text{Reader: io.Reader(bytes.NewReader(text))}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
