# Python 2.6 to 3: listens and answers (serve), or tries targets (dial). Whoever does not know the token gets no answer.
import errno, select, socket, sys, time

def out(*words):
    sys.stdout.write(" ".join([str(w) for w in words]) + "\n")
    sys.stdout.flush()

def serve(token):
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.bind(("0.0.0.0", 0))
    tcp.listen(64)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", 0))
    out("port", tcp.getsockname()[1], udp.getsockname()[1])
    end = time.time() + 120
    while time.time() < end:
        ready = select.select([tcp, udp, sys.stdin], [], [], 1)[0]
        if sys.stdin in ready and not sys.stdin.readline():
            return
        if tcp in ready:
            conn = tcp.accept()[0]
            try:
                conn.send(token)
                conn.close()
            except socket.error:
                pass
        if udp in ready:
            data, peer = udp.recvfrom(2048)
            if data.startswith(token):
                udp.sendto(data, peer)

NAMES = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.ETIMEDOUT: "timeout", errno.ENETUNREACH: "no_network",
         errno.EHOSTUNREACH: "no_host", errno.EACCES: "forbidden", errno.EPERM: "forbidden"}

def name(code):
    return NAMES.get(code, "error_%d" % code)

def try_tcp(targets, token, seconds):
    waiting = {}
    for addr, port in targets:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setblocking(0)
        begin = time.time()
        code = s.connect_ex((addr, port))
        if code in (0, errno.EINPROGRESS):
            waiting[s] = (addr, port, begin)
        else:
            out("tcp", addr, port, name(code))
            s.close()
    opened = {}
    end = time.time() + seconds
    while (waiting or opened) and time.time() < end:
        readable, writable, _ = select.select(list(opened), list(waiting), [], 0.1)
        now = time.time()
        for s in writable:
            addr, port, begin = waiting.pop(s)
            code = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                out("tcp", addr, port, name(code))
                s.close()
            else:
                opened[s] = (addr, port, "%.3f" % ((now - begin) * 1000), now + 0.5)
        for s in list(opened):
            addr, port, ms, until = opened[s]
            said = "-"
            if s in readable:
                try:
                    data = s.recv(len(token))
                    said = {token: "token", token[:0]: "closed"}.get(data, "-")
                except socket.error:
                    said = "closed"
            elif now < until:
                continue
            out("tcp", addr, port, "open", ms, said)
            del opened[s]
            s.close()
    for s in waiting:
        out("tcp", waiting[s][0], waiting[s][1], "timeout")
        s.close()
    for s in opened:
        out("tcp", opened[s][0], opened[s][1], "open", opened[s][2], "-")
        s.close()

class Echo:
    def __init__(self, addr, port):
        self.addr, self.port, self.error = addr, port, ""
        self.sent, self.at, self.got, self.dup, self.late, self.last, self.rtt = 0, {}, 0, 0, 0, -1, []
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setblocking(0)
        code = self.s.connect_ex((addr, port))
        if code:
            self.error = name(code)

    def send(self, token, n):
        try:
            self.at[n] = time.time()
            self.sent += 1
            self.s.send(token + (" %06d " % n).encode("ascii") + b"x" * 160)
        except socket.error:
            self.error = name(sys.exc_info()[1].args[0])

    def receive(self, token):
        try:
            data = self.s.recv(2048)
        except socket.error:
            self.error = name(sys.exc_info()[1].args[0])
            return
        n = int(data[len(token) + 1:len(token) + 7])
        if n not in self.at:
            self.dup += 1
            return
        self.rtt.append((time.time() - self.at.pop(n)) * 1000)
        self.got += 1
        if n < self.last:
            self.late += 1
        self.last = max(self.last, n)

    def show(self):
        rtt = self.rtt or [-1]
        out("udp", self.addr, self.port, self.sent, self.got, self.dup, self.late, "%.3f" % min(rtt), "%.3f" % (sum(rtt) / len(rtt)),
            "%.3f" % max(rtt), self.error or "-")
        self.s.close()

def listen(echoes, token, until):
    by = dict([(e.s, e) for e in echoes])
    while by:
        left = until - time.time()
        if left <= 0:
            return
        for s in select.select(list(by), [], [], left)[0]:
            by[s].receive(token)

def try_udp(targets, token, packets):
    echoes = [Echo(addr, port) for addr, port in targets]
    for n in range(packets):
        for e in echoes:
            e.send(token, n)
        listen(echoes, token, time.time() + 0.005)
    listen([e for e in echoes if e.got], token, time.time() + 1)
    for e in echoes:
        e.show()

def main(args):
    token = args[1].encode("ascii")
    if args[0] == "serve":
        return serve(token)
    targets = [t.split(":") for t in args[4:]]
    try_tcp([(a, int(p)) for k, a, p in targets if k == "tcp"], token, float(args[2]))
    try_udp([(a, int(p)) for k, a, p in targets if k == "udp"], token, int(args[3]))
    out("end")

main(sys.argv[1:])
