#!/usr/bin/env python
"""Event listener of boxdoctor for supervisord: says when a program ends that should run.

Writes one line for each event in the format of the log agent
(DateTime | ServerIP | ClientIP | PID | RequestID | Type | Level | Message | Code), and POSTs it to a webhook or mails
it when told so by the environment. Standard library only. Tested with Python 2.7 to 3.13.

BOXDOCTOR_ALERT_LOG       file to append to (required)
BOXDOCTOR_ALERT_WEBHOOK   URL to POST JSON to
BOXDOCTOR_ALERT_MAIL_TO   address; sent by the local mail server (BOXDOCTOR_ALERT_MAIL_SERVER, default localhost)
BOXDOCTOR_ALERT_PER_HOUR  webhooks and mails an hour and program, at most (default 6); the log gets every line
"""
import json
import os
import smtplib
import socket
import sys
import time

try:
    from urllib.request import Request, urlopen
except ImportError:  # Python 2
    from urllib2 import Request, urlopen

LEVELS = {'PROCESS_STATE_FATAL': 'ERROR', 'PROCESS_STATE_BACKOFF': 'WARN', 'PROCESS_STATE_EXITED': 'WARN'}
TIMEOUT = 10


def fields(text):
    """The pairs of a header line: "ver:3.0 server:supervisor ..."."""
    return dict(word.split(':', 1) for word in text.split() if ':' in word)


def stamp(now):
    """Time in UTC with milliseconds."""
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now)) + '.%03dZ' % int(now * 1000 % 1000)


def line(now, server, event, data):
    """The line of one event; the message is JSON, so that nothing in it can be taken for a separator."""
    message = json.dumps({'event': event, 'program': data.get('processname', ''), 'group': data.get('groupname', ''),
                          'from': data.get('from_state', ''), 'tries': data.get('tries', '')}, sort_keys=True)
    return ' | '.join([stamp(now), server, '-', data.get('pid', '-') or '-', '-', 'RUNTIME', LEVELS[event], message, '-'])


def concerns(event, data):
    """An exit that the program's configuration expects is no alert."""
    return event in LEVELS and not (event == 'PROCESS_STATE_EXITED' and data.get('expected') == '1')


class Limit(object):
    """At most n an hour for each key."""

    def __init__(self, n):
        self.n, self.seen = n, {}

    def allows(self, key, now):
        """Whether one more may go out now; it is counted."""
        recent = [t for t in self.seen.get(key, []) if t > now - 3600]
        self.seen[key] = recent
        if len(recent) >= self.n:
            return False
        recent.append(now)
        return True


def server_ip():
    """The address that this machine would be reached by; no packet is sent."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.connect(('192.0.2.1', 9))
        return s.getsockname()[0]
    except (OSError, IOError):
        return '-'
    finally:
        s.close()


def post(url, text):
    """POST the line as JSON."""
    body = json.dumps({'text': text}).encode('utf-8')
    urlopen(Request(url, body, {'Content-Type': 'application/json'}), timeout=TIMEOUT).close()


def mail(to, text, server):
    """Mail the line."""
    smtp = smtplib.SMTP(server, 25, timeout=TIMEOUT)
    try:
        smtp.sendmail('supervisor@' + socket.gethostname(), [to],
                      'To: %s\r\nSubject: supervisor: a program ended\r\n\r\n%s\r\n' % (to, text))
    finally:
        smtp.quit()


def alert(env, limit, now, event, data):
    """Log one event, and send it when the limit allows."""
    text = line(now, server_ip(), event, data)
    with open(env['BOXDOCTOR_ALERT_LOG'], 'a') as f:
        f.write(text + '\n')
    if not limit.allows(data.get('groupname', '') + ':' + data.get('processname', ''), now):
        return
    if env.get('BOXDOCTOR_ALERT_WEBHOOK'):
        post(env['BOXDOCTOR_ALERT_WEBHOOK'], text)
    if env.get('BOXDOCTOR_ALERT_MAIL_TO'):
        mail(env['BOXDOCTOR_ALERT_MAIL_TO'], text, env.get('BOXDOCTOR_ALERT_MAIL_SERVER', 'localhost'))


def main(env, stdin, stdout, stderr):
    """The protocol of event listeners: READY, header, payload, RESULT. Standard output carries nothing else."""
    limit = Limit(int(env.get('BOXDOCTOR_ALERT_PER_HOUR', '6')))
    while True:
        stdout.write('READY\n')
        stdout.flush()
        header = stdin.readline()
        if not header:
            return
        head = fields(header)
        data = fields(stdin.read(int(head['len'])))
        try:
            if concerns(head.get('eventname'), data):
                alert(env, limit, time.time(), head['eventname'], data)
        except Exception as e:  # whatever fails must not stop the listener: supervisord would restart it for ever
            stderr.write('boxdoctor alerts: %s\n' % e)
            stderr.flush()
        stdout.write('RESULT 2\nOK')
        stdout.flush()


if __name__ == '__main__':
    main(os.environ, sys.stdin, sys.stdout, sys.stderr)
