#!/usr/bin/env python3
"""gen.py FILE COUNT RATE [START]: an application that writes COUNT numbered lines of the log format at RATE a second.

Every tenth line is DEBUG, every second message is JSON with a separator in it. The file is opened again when it was
renamed, as an application does that is told to.
"""
import json
import os
import sys
import time

path, count, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
start = int(sys.argv[4]) if len(sys.argv) > 4 else 0
f = open(path, 'a')


def current(f):
    """The file of that name: another one, once the old one was renamed."""
    try:
        same = os.fstat(f.fileno()).st_ino == os.stat(path).st_ino
    except OSError:
        same = False
    return f if same else open(path, 'a')


t0 = time.time()
n = 0
while n < count:
    due = min(count, int((time.time() - t0) * rate) + 1)
    out = []
    while n < due:
        i = start + n
        ts = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime()) + '.%03dZ' % (i % 1000)
        msg = json.dumps({'Sql': 'select a | b from t where id = %d' % i, 'RunTime': 3.2}) if i % 2 else 'text | with %d' % i
        out.append('%s | 10.0.2.15 | 192.168.56.1 | 4711 | id-%07d | SQL[db=main] | %s | %s | %d\n' % (ts, i, 'DEBUG' if i % 10 == 0 else 'INFO', msg, i % 600))
        n += 1
    f = current(f)
    f.write(''.join(out))
    f.flush()
    time.sleep(0.005)
sys.stderr.write('%d lines in %.1f s\n' % (count, time.time() - t0))
