"""A mail server on this machine, as little as a sender needs, that can be away."""

import re
import socketserver
import threading
import time

from pool.process import free_port

CODE_SECONDS = 15
ANSWERS = {b"EHLO": b"250 mail.test", b"MAIL": b"250 ok", b"RCPT": b"250 ok", b"DATA": b"354 go on", b"RSET": b"250 ok", b"NOOP": b"250 ok",
           b"QUIT": b"221 bye"}


class Mail:
    """`taken` counts messages, and `codes` has the code of six digits that each address got last."""

    def __init__(self):
        self.port, self.taken, self.codes, self.server = free_port(), 0, {}, None

    def open(self):
        mail = self

        class Connection(socketserver.StreamRequestHandler):
            def handle(self):
                self.say(b"220 mail.test")
                to = None
                while line := self.rfile.readline():
                    word = line[:4].upper().strip()
                    self.say(ANSWERS.get(word, b"502 not here"))
                    if word == b"QUIT":
                        return
                    if word == b"RCPT":
                        to = re.search(rb"<([^>]*)>", line)[1].decode()
                    if word == b"DATA":
                        text = b"".join(iter(self.rfile.readline, b".\r\n"))
                        if code := re.search(rb"(?<![0-9A-Za-z=-])\d{6}(?![0-9A-Za-z-])", text.partition(b"\r\n\r\n")[2]):
                            mail.codes[to] = code[0].decode()
                        mail.taken += 1
                        self.say(b"250 taken")

            def say(self, text):
                self.wfile.write(text + b"\r\n")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", self.port), Connection)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def code_for(self, address):
        """The code that was sent to it. Waits for it."""
        deadline = time.monotonic() + CODE_SECONDS
        while address not in self.codes:
            if time.monotonic() > deadline:
                raise AssertionError(f"no code was sent to {address}")
            time.sleep(0.002)
        return self.codes.pop(address)
