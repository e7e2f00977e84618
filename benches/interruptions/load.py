"""Clients that ask all the time, and what they have lost."""

import json
import os
import re
import signal
import subprocess
import sys

from harness import tools

CONNECTIONS = 32
STREAMS = 4
BODY_BYTES = 1024
WRK_SECONDS_MAX = 3600  # it is told to stop before
UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class Wrk:
    """wrk: HTTP/1.1 on connections that stay open. It makes a new one after an answer with `Connection: close`. A connection that is
    closed before the answer is an error for it."""

    def __init__(self, here, proxy, cookie):
        command = [tools.tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{WRK_SECONDS_MAX}s", "--timeout", "30s",
                   "-H", f"Cookie: {cookie}", proxy.url()]
        self.child = here.run(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        self.answered = self.lost = 0
        self.longest = None

    def stop(self):
        self.child.send_signal(signal.SIGINT)  # it then says what it has counted
        text = self.child.communicate()[0]
        self.answered = int(re.search(r"(\d+) requests in", text).group(1))
        self.longest = re.search(r"Latency\s+\S+\s+\S+\s+(\S+)", text).group(1)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        other = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        self.lost = sum(map(int, errors.groups())) if errors else 0
        self.lost += int(other.group(1)) if other else 0
        # A redirect would be one without the session: its body is short.
        amount, unit = re.search(r"([\d.]+)(\w+) read", text).groups()
        if float(amount) * UNITS[unit] < 0.99 * BODY_BYTES * (self.answered - self.lost):
            raise SystemExit(f"bodies are too short: {text}")


class H2load:
    """h2load: HTTP/2 for a time that is known before. It does not come back after a GOAWAY: it counts each request that it then cannot
    send as failed, and the connection is idle from then on."""

    def __init__(self, here, proxy, cookie, seconds):
        command = [tools.tool("h2load"), "-t1", f"-c{CONNECTIONS}", f"-m{STREAMS}", f"-D{seconds:.0f}",
                   "-H", f"cookie: {cookie}", proxy.url()]
        self.child = here.run(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        self.answered = self.lost = 0

    def stop(self):
        """Waits for its end. Requests that this cuts off are not counted as failed."""
        text = self.child.communicate()[0]
        self.answered = int(re.search(r"status codes: (\d+) 2xx", text).group(1))
        failed, errored, timed_out = map(int, re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text).groups())
        others = sum(map(int, re.search(r"2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text).groups()))
        self.lost = max(failed, errored) + timed_out + others


class Http2Client:
    """`http2_client.py`: HTTP/2, and a new connection after a GOAWAY."""

    def __init__(self, here, proxy, cookie):
        settings = {"port": proxy.port, "ca": here.certificate.chain, "cookie": cookie, "connections": CONNECTIONS, "streams": STREAMS,
                    "body_bytes": BODY_BYTES}
        command = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "http2_client.py"), json.dumps(settings)]
        self.child = here.run(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self.answered = self.lost = 0
        self.said = {}

    def stop(self):
        self.said = json.loads(self.child.communicate()[0])  # closes its standard input, which tells it to stop
        self.answered, self.lost = self.said["answered"], sum(self.said["lost"].values())

    def reasons(self):
        """Why requests were lost, as the end of a sentence."""
        return "".join(f"; {count}: {why}" for why, count in self.said["lost"].items())
