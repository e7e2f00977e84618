"""Downloads and uploads by curl, and gRPC streams by grpcio. What is under way has these members:

    what            its name, in the plural
    count           how many it stands for
    has_begun       an event
    is_under_way()  whether it is not over
    finish()        waits for its end
    wrong           after that, why it is not whole: a sentence for each that is not
"""

import hashlib
import json
import os
import subprocess
import threading

from harness import tools

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")
SERVICE = "interruptions.Streams"
CHUNK = 1 << 20
SECONDS_MAX = 600


class Curl:
    count = 1

    def __init__(self, here, proxy, cookie, protocol, path, options=()):
        command = [tools.tool("curl"), "--no-progress-meter", "--fail", "--cacert", here.certificate.chain, "--max-time", str(SECONDS_MAX),
                   "--http2" if protocol == "HTTP/2" else "--http1.1", "--header", f"Cookie: {cookie}", *options, proxy.url(path)]
        self.has_begun, self.digest, self.length, self.beginning = threading.Event(), hashlib.sha256(), 0, b""
        self.child = here.run(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while piece := self.child.stdout.read1(CHUNK):
            self.digest.update(piece)
            self.length += len(piece)
            self.beginning = self.beginning or piece
            self.has_begun.set()

    def is_under_way(self):
        return self.child.poll() is None

    def finish(self):
        self.thread.join()
        said = self.child.stderr.read().decode().strip()
        self.wrong = [] if self.child.wait() == 0 and self.is_whole() else [f"{said or 'other bytes'} ({self.length} bytes)"]


class Download(Curl):
    def __init__(self, here, proxy, cookie, protocol, digest):
        self.what, self.expected = f"downloads over {protocol}", digest
        super().__init__(here, proxy, cookie, protocol, "/large")

    def is_whole(self):
        return self.digest.hexdigest() == self.expected


class Upload(Curl):
    """The target answers with the SHA-256 of what it has read."""

    def __init__(self, here, proxy, cookie, protocol, file, digest, rate):
        self.what, self.expected = f"uploads over {protocol}", digest
        options = ["--upload-file", file, "--limit-rate", str(rate)]
        super().__init__(here, proxy, cookie, protocol, "/upload", options)
        self.has_begun.set()  # it takes long enough

    def is_whole(self):
        return self.beginning == self.expected.encode()


class Calls:
    """All gRPC streams: `peer.py` as a client."""

    what = "gRPC streams"

    def __init__(self, here, proxy, cookie, settings):
        settings = {"port": proxy.port, "ca": here.certificate.chain, "cookie": cookie, **settings}
        self.has_begun, self.count = threading.Event(), 2 * settings["streams"]
        command = [tools.tool("grpcio"), "-B", PEER, "call", json.dumps(settings)]
        self.child = here.run(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True))
        threading.Thread(target=self.wait_for_begin, daemon=True).start()

    def wait_for_begin(self):
        if self.child.stdout.readline() == "begun\n":
            self.has_begun.set()

    def is_under_way(self):
        return self.child.poll() is None

    def finish(self):
        text = self.child.stdout.read()
        if self.child.wait() != 0:
            raise SystemExit("the client of the gRPC streams failed")
        self.wrong = [f"{kind}: {why}" for kind, wrong in json.loads(text).items() for why in wrong]
