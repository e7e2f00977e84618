"""From starting the program to its first answer from the target over TLS, with the session from before the restart."""

import socket
import ssl
import time

from comparison import cast as who
from harness import stats
from harness.process import LOOPBACK

STARTS = 20
DEADLINE_SECONDS = 20


def run(cast, arguments):
    """Answers {contender: [milliseconds]}. Each has the ports, files and keys that it had, and starts while nothing else does.

    Not Apache: the sessions of its default, in shared memory, do not outlive it.
    """
    context = ssl.create_default_context(cafile=cast.bench.certificate.chain)
    contenders = cast.pick(who.NGINX, who.HAPROXY, who.VESTIBULE, who.ENVOY)

    def measure(contender):
        process = contender.process
        process.stop()
        began = time.monotonic()
        process.start()
        milliseconds = (first_answer(context, contender, began + DEADLINE_SECONDS) - began) * 1e3
        # Its workers are up too before the next one is measured.
        time.sleep(0.2)
        return milliseconds

    return stats.rounds(4 if arguments.quick else STARTS, contenders, measure)


def first_answer(context, contender, deadline):
    """Asks until there is an answer of status 200; answers when it was there."""
    request = f"GET / HTTP/1.1\r\nHost: localhost:{contender.process.port}\r\nConnection: close\r\n"
    request += f"Cookie: {contender.cookie}\r\n\r\n" if contender.cookie else "\r\n"
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((LOOPBACK, contender.process.port), timeout=5) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    connection.sendall(request.encode())
                    if connection.recv(64).split(b" ")[1:2] == [b"200"]:
                        return time.monotonic()
        except OSError:
            pass
        time.sleep(0.0002)
    raise SystemExit(f"{contender.name} did not answer within {DEADLINE_SECONDS} s of its start:\n{contender.process.log()}")
