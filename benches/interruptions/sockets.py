"""WebSockets that are under way: each sends one message after the other, when the one before was echoed."""

import base64
import os
import threading
import urllib.parse

from harness import http2
from interruptions import frames

TIMEOUT_SECONDS = 120
MESSAGE_BYTES = 1000
PAUSE_SECONDS = 0.02


class Socket:
    """For its members see `transfers.py`. `echoed` counts messages."""

    count = 1

    def __init__(self, here, proxy, cookie, protocol):
        self.what = f"WebSockets over {protocol}"
        self.has_begun, self.echoed, self.wrong = threading.Event(), 0, []
        self.stream = STREAMS[protocol](here, urllib.parse.urlsplit(proxy.url("/socket")), cookie)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.talk()
        except (OSError, EOFError) as error:
            self.wrong.append(f"{error} after {self.echoed} messages")

    def talk(self):
        """Until the closing frame comes. A message that crosses it need not be echoed (RFC 6455 §5.5.1)."""
        pause = threading.Event()
        while not self.wrong:
            message = os.urandom(MESSAGE_BYTES)
            self.stream.send(frames.frame(frames.BINARY, message, is_client=True))
            opcode, payload = frames.read(self.stream)
            if opcode == frames.CLOSE:
                return self.close(payload)
            if (opcode, payload) != (frames.BINARY, message):
                self.wrong.append(f"another message was echoed after {self.echoed}")
            self.echoed += 1
            self.has_begun.set()
            pause.wait(PAUSE_SECONDS)

    def close(self, payload):
        if int.from_bytes(payload[:2], "big") != frames.GOING_AWAY:
            self.wrong.append(f"closed with {payload!r}")
        self.stream.end(frames.frame(frames.CLOSE, payload, is_client=True))
        if self.stream.read(1):
            self.wrong.append("something came after the closing frame")

    def is_under_way(self):
        return self.thread.is_alive()

    def finish(self):
        self.thread.join()
        self.stream.close()


class Http1Stream:
    """What follows the 101. `read` answers less than is asked for only at the end."""

    def __init__(self, here, url, cookie):
        self.socket = here.browser().connect(url).sock
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.file = self.socket.makefile("rb")
        self.send, self.end, self.read, self.close = self.socket.sendall, self.socket.sendall, self.file.read, self.socket.close
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {url.path} HTTP/1.1", f"Host: {url.netloc}", f"Origin: https://{url.netloc}", f"Cookie: {cookie}",
                 "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self.send("\r\n".join(lines).encode())
        head = b"".join(iter(self.file.readline, b"\r\n")).decode()
        if not head.startswith("HTTP/1.1 101 ") or frames.accept(key) not in head:
            raise SystemExit(f"no WebSocket: {head}")


class Http2Stream:
    """The DATA frames of an extended CONNECT (RFC 8441), the only stream of its connection. Windows are large enough for what is read, and
    what is sent is little until it is echoed. A GOAWAY without an error changes nothing."""

    STREAM = 1

    def __init__(self, here, url, cookie):
        browser = here.browser()
        browser.context.set_alpn_protocols(["h2"])
        self.socket = browser.connect(url).sock
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.file, self.received, self.has_ended = self.socket.makefile("rb"), b"", False
        self.close = self.socket.close
        settings = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in http2.CLIENT_SETTINGS)
        window = http2.frame(http2.WINDOW_UPDATE, 0, 0, http2.CLIENT_WINDOW.to_bytes(4, "big"))
        self.socket.sendall(http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0, settings) + window)
        self.hear()  # the server's settings
        fields = {http2.METHOD: "CONNECT", ":protocol": "websocket", http2.AUTHORITY: url.netloc, http2.PATH: url.path,
                  http2.COOKIE: cookie, "origin": f"https://{url.netloc}", "sec-websocket-version": "13"}
        # Those with a colon come first (RFC 9113 §8.3).
        block = http2.SCHEME_HTTPS + b"".join(http2.literal(*field) for field in fields.items())
        self.socket.sendall(http2.frame(http2.HEADERS, http2.END_HEADERS, self.STREAM, block))
        while (heard := self.hear())[0] != http2.HEADERS:
            pass
        if http2.without_size_updates(heard[1])[:1] != bytes([http2.STATUS_200]):
            raise SystemExit(f"no WebSocket: {heard[1]}")

    def send(self, data):
        self.socket.sendall(http2.frame(http2.DATA, 0, self.STREAM, data))

    def end(self, data):
        self.socket.sendall(http2.frame(http2.DATA, http2.END_STREAM, self.STREAM, data))

    def read(self, count):
        while len(self.received) < count and not self.has_ended:
            kind, payload = self.hear()
            if kind == http2.DATA:
                self.received += payload
        found, self.received = self.received[:count], self.received[count:]
        return found

    def hear(self):
        """The next frame's kind and payload. Answers what has to be answered."""
        head = frames.exactly(self.file, 9)
        kind, flags, payload = head[3], head[4], frames.exactly(self.file, int.from_bytes(head[:3], "big"))
        if kind in (http2.SETTINGS, http2.PING) and not flags & http2.ACK:
            self.socket.sendall(http2.frame(kind, http2.ACK, 0, payload if kind == http2.PING else b""))
        elif kind == http2.RST_STREAM or kind == http2.GOAWAY and any(payload[4:8]):
            raise EOFError(f"the server ended it with {payload.hex()}")
        elif kind in (http2.DATA, http2.HEADERS) and flags & http2.END_STREAM:
            self.has_ended = True
        return kind, payload


STREAMS = {"HTTP/1.1": Http1Stream, "HTTP/2": Http2Stream}
