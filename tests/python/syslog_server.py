"""A syslog server. Prints the port or the path that it listens on, then each message as JSON, read by a parser that nobody here wrote. A
message of a local program, which has another form, is printed as it is.

Arguments: unix PATH, udp, or tcp.
"""

import json
import socket
import sys

from syslog_rfc5424_parser import SyslogMessage


def tell(message):
    print(json.dumps(SyslogMessage.parse(message.decode("utf-8")).as_dict()), flush=True)


def datagrams(server, tell):
    while True:
        tell(server.recv(65536))


def tell_local(message):
    print(json.dumps({"local": message.decode("utf-8")}), flush=True)


def octet_counted(stream):
    while True:
        length = b""
        while not length.endswith(b" "):
            length += stream.read(1) or sys.exit()
        tell(stream.read(int(length)))


def main(kind, *path):
    if kind == "unix":
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(path[0])
        print(path[0], flush=True)
        datagrams(server, tell_local)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    server.bind(("127.0.0.1", 0))
    if kind == "tcp":
        server.listen()
    print(server.getsockname()[1], flush=True)
    if kind == "udp":
        datagrams(server, tell)
    octet_counted(server.accept()[0].makefile("rb"))


main(*sys.argv[1:])
