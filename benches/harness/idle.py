"""Many idle TLS connections, held by other processes."""

import multiprocessing
import time

from harness import handshakes, http2
from harness.load import HTTP1, HTTP2

CLIENTS = 2
OPEN_DEADLINE_SECONDS = 120
ALPN = {HTTP1: "http/1.1", HTTP2: "h2"}


def request_of(protocol, port, cookie):
    """The first request of a connection, for the application behind the proxy at `port`."""
    if protocol == HTTP2:
        return http2.request(f"localhost:{port}", cookie)
    return f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n".encode()


class Idle:
    """A context manager: within it `count` connections to `port` are open and nothing moves on them.

    With `request` (bytes, answered by 200 and a body of `body_bytes`) each has made that request before; without, each has
    only made its handshake. `request` is in the words of `protocol`: see `request_of`.
    """

    def __init__(self, port, count, request=None, body_bytes=0, protocol=HTTP1):
        self.port, self.count, self.request, self.body_bytes, self.protocol = port, count, request, body_bytes, protocol
        self.context = multiprocessing.get_context("fork")
        self.done = self.context.Event()

    def __enter__(self):
        queue = self.context.Queue()
        shares = [self.count // CLIENTS + (1 if number < self.count % CLIENTS else 0) for number in range(CLIENTS)]
        self.children = [self.context.Process(target=self._client, args=(queue, share), daemon=True) for share in shares]
        for child in self.children:
            child.start()
        try:
            said = [queue.get(timeout=OPEN_DEADLINE_SECONDS + 30) for _ in self.children]
            if failures := [one for one in said if one]:
                raise SystemExit(f"port {self.port}: {failures[0]}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.done.set()
        for child in self.children:
            child.join(timeout=30)
            if child.is_alive():
                child.kill()

    def _client(self, queue, share):
        connections = []
        try:
            context, deadline = handshakes.client_context(), time.monotonic() + OPEN_DEADLINE_SECONDS
            context.set_alpn_protocols([ALPN[self.protocol]])
            for _ in range(share):
                if time.monotonic() > deadline:
                    raise OSError(f"only {len(connections)} of {share} connections within {OPEN_DEADLINE_SECONDS} s")
                connections.append(handshakes.connect(context, self.port))
                if self.request:
                    self._ask(connections[-1])
            queue.put(None)
            self.done.wait()
        except OSError as error:
            queue.put(f"connection {len(connections)}: {error}")
        for connection in connections:
            connection.close()

    def _ask(self, connection):
        if self.protocol == HTTP2:
            return http2.ask(connection, self.request, self.body_bytes)
        connection.sendall(self.request)
        answer = b""
        while len(answer.partition(b"\r\n\r\n")[2]) < self.body_bytes:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("closed before the answer was whole")
            answer += piece
        if answer.split(b" ")[1:2] != [b"200"]:
            raise OSError(f"answered {answer[:40]!r}")
