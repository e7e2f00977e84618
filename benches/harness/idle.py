"""Many idle TLS connections, held by other processes."""

import multiprocessing
import time

from harness import handshakes

CLIENTS = 2
OPEN_DEADLINE_SECONDS = 120


class Idle:
    """A context manager: within it `count` connections to `port` are open and nothing moves on them.

    With `request` (bytes, answered by 200 and a body of `body_bytes`) each has made that request before; without, each has
    only made its handshake.
    """

    def __init__(self, port, count, request=None, body_bytes=0):
        self.port, self.count, self.request, self.body_bytes = port, count, request, body_bytes
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
        connection.sendall(self.request)
        answer = b""
        while len(answer.partition(b"\r\n\r\n")[2]) < self.body_bytes:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("closed before the answer was whole")
            answer += piece
        if answer.split(b" ")[1:2] != [b"200"]:
            raise OSError(f"answered {answer[:40]!r}")
