"""Relay of boxdoctor: carries XML-RPC requests to the supervisords of this machine and prints what they answer.

Arguments: the configuration whose supervisord is meant (empty: all), how many seconds to wait for an answer, then the
requests. Requests and answers are only carried. The socket is root's alone, so that it cannot be forwarded to the login
user; a login or password that the configuration holds stays in this machine. Standard library only, Python 2.6 to 3.
"""
import base64
import errno
import json
import os
import socket
import sys

try:
    from configparser import RawConfigParser
    from http.client import HTTPConnection
except ImportError:  # Python 2
    from ConfigParser import RawConfigParser
    from httplib import HTTPConnection

# Where packages, pip and boxdoctor keep the configuration.
PLACES = ['/etc/boxdoctor/supervisor/supervisord.conf', '/etc/supervisor/supervisord.conf', '/etc/supervisord.conf',
          '/etc/supervisord/supervisord.conf', '/usr/local/etc/supervisord.conf', '/opt/boxdoctor/supervisor/etc/supervisord.conf']
MOST = 16           # supervisords
CONFIG = 1 << 20    # bytes of a configuration
ANSWER = 4 << 20    # bytes of an answer


class Local(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout):
        HTTPConnection.__init__(self, 'localhost', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def text(value):
    """Text that JSON can hold, whatever a file's name or a message is made of."""
    return value.decode('utf-8', 'replace') if isinstance(value, bytes) else value


def option(words):
    """The value of -c or --configuration in a command line."""
    for i, word in enumerate(words):
        if word in ('-c', '--configuration') and i + 1 < len(words):
            return words[i + 1]
        if word.startswith('--configuration='):
            return word.split('=', 1)[1]
    return None


def configuration(pid):
    """The configuration that a process of root's in this file system was given, when it is a supervisord."""
    where = '/proc/' + pid
    if os.stat(where).st_uid != 0 or os.readlink(where + '/ns/mnt') != os.readlink('/proc/self/ns/mnt'):
        return None
    with open(where + '/cmdline') as f:
        words = f.read(65536).split('\0')
    if 'supervisord' not in [os.path.basename(w) for w in words[:3]]:
        return None
    named = option(words)
    return named and os.path.join(os.readlink(where + '/cwd'), named)


def configurations():
    """The configurations that are here: those of supervisords that run, and those at known places."""
    found = []
    for pid in [p for p in os.listdir('/proc') if p.isdigit()]:
        try:
            found.append(configuration(pid))
        except (OSError, IOError, ValueError):  # it ended meanwhile, or is none of ours
            pass
    out = []
    for path in [p for p in found if p] + PLACES:
        path = os.path.realpath(path)
        if path not in out and os.path.isfile(path):
            out.append(path)
    return out[:MOST]


def parsed(path):
    """The configuration, read as supervisord does."""
    if sys.version_info[0] > 2:
        parser = RawConfigParser(inline_comment_prefixes=(';', '#'), strict=False)
    else:
        parser = RawConfigParser()
    if os.path.getsize(path) > CONFIG:
        raise ValueError('the file is longer than %d bytes' % CONFIG)
    with open(path) as f:
        (getattr(parser, 'read_file', None) or parser.readfp)(f)
    return parser


def value(parser, section, key):
    """A value, or an empty text."""
    return parser.get(section, key).strip() if parser.has_option(section, key) else ''


def connection(parser, path, timeout):
    """The way to the supervisord: where it listens, and a connection that is not open yet."""
    listens = value(parser, 'unix_http_server', 'file').replace('%(here)s', os.path.dirname(path))
    if listens:
        return listens, Local(listens, timeout)
    host, _, port = value(parser, 'inet_http_server', 'port').rpartition(':')
    if not port.isdigit():
        raise ValueError('it has neither [unix_http_server] with a file nor [inet_http_server] with a port: nothing can be asked')
    if host in ('', '*', '0.0.0.0'):
        host = '127.0.0.1'
    return host + ':' + port, HTTPConnection(host, int(port), timeout=timeout)


def login(parser):
    """The header for a server that wants a password; it may know only its hash, supervisorctl knows the text."""
    for section in ('supervisorctl', 'unix_http_server', 'inet_http_server'):
        user, password = value(parser, section, 'username'), value(parser, section, 'password')
        if user and not password.startswith('{SHA}'):
            return {'Authorization': 'Basic ' + base64.b64encode((user + ':' + password).encode('utf-8')).decode('ascii')}
    return {}


def post(conn, body, headers):
    """One request. supervisord fails (500) at one that it cannot answer, such as a log that is no UTF-8: then None."""
    conn.request('POST', '/RPC2', body, headers)
    answer = conn.getresponse()
    data = answer.read(ANSWER + 1)
    if answer.status == 500:
        return None
    if answer.status != 200:
        raise ValueError('HTTP status %d %s' % (answer.status, answer.reason))
    if len(data) > ANSWER:
        raise ValueError('the answer is longer than %d bytes' % ANSWER)
    return base64.b64encode(data).decode('ascii')


def ask(path, timeout, requests):
    """What one supervisord answers to all requests."""
    out = {'config': text(path), 'socket': '', 'down': False, 'error': '', 'answers': []}
    try:
        parser = parsed(path)
        listens, conn = connection(parser, path, timeout)
        out['socket'] = text(listens)
        headers = login(parser)
        headers['Content-Type'] = 'text/xml'
        for body in requests:
            out['answers'].append(post(conn, body, headers))
        conn.close()
    except Exception as e:  # pylint: disable=broad-except # one that fails must not hide the others
        out['down'] = getattr(e, 'errno', 0) in (errno.ENOENT, errno.ECONNREFUSED) and out['socket'] != ''
        out['error'] = text(str(e))[:1000]
    return out


def main(only, timeout, requests):
    """One JSON document for all of them."""
    there = [only] if only else configurations()
    print(json.dumps({'instances': [ask(path, float(timeout), requests) for path in there]}))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
