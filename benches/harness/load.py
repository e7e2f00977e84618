"""Load generators: closed loop by wrk and h2load, open loop by oha and h2load. Every answer counts, and none may fail.

A generator that saw another status than 200, a socket error, or bodies shorter than they should be ends the bench.
"""

import contextlib
import dataclasses
import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile

from harness.process import output
from harness.tools import tool

HTTP1, HTTP2 = "http1", "http2"
WARM_UP_SECONDS = 1
LONGEST_SECONDS = 3600  # of a load that is ended by hand
NAMES = {HTTP1: "HTTP/1.1", HTTP2: "HTTP/2"}


@dataclasses.dataclass(frozen=True)
class Done:
    """Of one run."""

    requests: int
    seconds: float

    @property
    def rate(self):
        """Answers per second."""
        return self.requests / self.seconds


@dataclasses.dataclass(frozen=True)
class Latency:
    """Of one run at a fixed rate, in milliseconds; `rate` is what was achieved, per second."""

    asked: float
    rate: float
    p50: float
    p99: float


class BadAnswers(SystemExit):
    """A peer did not answer everything as it should."""


def closed(protocol, url, cookie, *, seconds, connections=64, body_bytes=1024, script=None):
    """As many requests as `connections` that each wait for the answer can make. HTTP/2 has one stream on each connection.

    `script` is a Lua file for wrk, which then sets the cookies itself.
    """
    if protocol == HTTP1:
        return _wrk(url, cookie, seconds, connections, body_bytes, script)
    return _h2load(url, cookie, seconds, connections, body_bytes)


def _wrk(url, cookie, seconds, connections, body_bytes, script):
    return _wrk_done(output(_wrk_command(url, cookie, seconds, connections, script)), url, body_bytes)


def _wrk_command(url, cookie, seconds, connections, script):
    command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", script] if script else []
    return command + (["-H", f"Cookie: {cookie}"] if cookie else []) + [url]


def _wrk_done(said, url, body_bytes):
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", said)
    if bad:
        raise BadAnswers(f"{url}: {bad.group(0)}")
    requests, took, time_unit, amount, unit = re.search(r"(\d+) requests in ([\d.]+)(\w+), ([\d.]+)(\w+) read", said).groups()
    read = float(amount) * 1024 ** {"B": 0, "KB": 1, "MB": 2, "GB": 3}[unit]
    # wrk does not count redirects as bad, nor looks at lengths: their sum is what it read, rounded to three figures.
    if int(requests) == 0 or read < 0.99 * body_bytes * int(requests):
        raise BadAnswers(f"{url}: bodies are too short: {read:.0f} bytes in {requests} answers")
    return Done(int(requests), float(took) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}[time_unit])


class Closed:
    """The same over HTTP/1.1, as a context manager that loads until it is left; `done` is then there."""

    def __init__(self, url, cookie, *, connections, body_bytes=1024, script=None):
        self.url, self.body_bytes, self.done = url, body_bytes, None
        self.command = _wrk_command(url, cookie, LONGEST_SECONDS, connections, script)

    def __enter__(self):
        self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      start_new_session=True)
        return self

    def __exit__(self, kind, *_):
        self.child.send_signal(signal.SIGINT)  # it ends as if its time were up
        said, _ = self.child.communicate(timeout=60)
        if kind is None:
            if self.child.returncode != 0:
                raise BadAnswers(f"{self.url}: wrk failed:\n{said}")
            self.done = _wrk_done(said, self.url, self.body_bytes)

    def check(self):
        """Ends the bench where the generator has ended by itself."""
        if self.child.poll() is not None:
            raise BadAnswers(f"{self.url}: wrk ended by itself")


def _h2load(url, cookie, seconds, connections, body_bytes):
    command = [tool("h2load"), "-t1", "-m1", f"-c{connections}", f"-D{seconds}"]
    said = output(command + (["-H", f"cookie: {cookie}"] if cookie else []) + [url])
    protocol = re.search(r"Application protocol: (\S+)", said)
    if not protocol or protocol.group(1) != "h2":
        raise BadAnswers(f"{url}: h2load did not speak HTTP/2:\n{said}")
    succeeded, failed = (int(count) for count in re.search(r"(\d+) succeeded, (\d+) failed", said).groups())
    answered = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said).groups()
    data = int(re.search(r"\((\d+)\) data", said).group(1))
    if failed or any(int(count) for count in answered[1:]) or succeeded == 0 or data < body_bytes * succeeded:
        raise BadAnswers(f"{url}: not every request succeeded:\n{said}")
    # The run is as long as was asked; the warm-up of a timed run is none.
    return Done(succeeded, float(seconds))


def fixed_rate(protocol, url, cookie, *, rate, seconds, connections=64, body_bytes=1024):
    """Open loop (`oha -q --latency-correction`): a request is due every 1/`rate` seconds, and its latency counts from when
    it was due, also where no connection was free then. `rate` None goes as fast as it can.

    What was answered in the first second is left out: all connections are made then. The percentiles are of all the others.
    """
    with tempfile.TemporaryDirectory(prefix="vestibule-bench-oha-") as directory:
        results = os.path.join(directory, "results.db")
        command = [tool("oha"), "--no-tui", "--output-format", "json", "-z", f"{seconds + WARM_UP_SECONDS}s",
                   "-c", str(connections), "--insecure", "--disable-compression", "--redirect", "0", "--db-url", results]
        command += ["-q", str(round(rate)), "--latency-correction"] if rate else []
        command += ["--http2", "-p", "1"] if protocol == HTTP2 else []
        command += ["-H", f"cookie: {cookie}"] if cookie else []
        said = output([*command, url])
        # It stores what succeeded, and says first where.
        errors = json.loads(said[said.index("{"):])["errorDistribution"]
        with contextlib.closing(sqlite3.connect(results)) as database:
            rows = database.execute(
                "SELECT coalesce(start_latency_correction, start), end, status, len_bytes FROM oha").fetchall()
    # What was under way when the time was up is cut, and is no answer.
    if failed := {error: count for error, count in errors.items() if "deadline" not in error}:
        raise BadAnswers(f"{url}: {failed}")
    if bad := next((row for row in rows if row[2:] != (200, body_bytes)), None):
        raise BadAnswers(f"{url}: an answer has status {bad[2]} and {bad[3]} bytes")
    milliseconds = sorted((end - due) * 1e3 for due, end, _, _ in rows if end >= WARM_UP_SECONDS)
    answered = sum(1 for _, end, _, _ in rows if WARM_UP_SECONDS <= end < WARM_UP_SECONDS + seconds)
    if len(milliseconds) < 100:
        raise BadAnswers(f"{url}: only {len(milliseconds)} answers")
    return Latency(rate or answered / seconds, answered / seconds, *(percentile(milliseconds, part) for part in (0.5, 0.99)))


def paced(url, cookie, *, rate, seconds, connections=10, body_bytes=1024, wrapper=()):
    """Open loop over HTTP/2 with little CPU (`h2load --rps`): each of the connections sends on time, whether it has been answered or not.

    Answers the latency of each request in milliseconds, from when it was sent. What was sent in the first second is left out. `wrapper` is what the
    command is run under.
    """
    with tempfile.TemporaryDirectory(prefix="vestibule-bench-h2load-") as directory:
        log = os.path.join(directory, "requests")
        command = [*wrapper, tool("h2load"), "-t1", "-m100", f"-c{connections}", f"-D{seconds + WARM_UP_SECONDS}", f"--rps={rate / connections}",
                   f"--log-file={log}"]
        said = output(command + (["-H", f"cookie: {cookie}"] if cookie else []) + [url])
        with open(log, encoding="ascii") as file:
            rows = [tuple(int(field) for field in line.split("\t")[:3]) for line in file]
    # What was under way when the time was up is cut, and is no answer.
    if bad := next((status for _, status, _ in rows if status not in (200, -1)), None):
        raise BadAnswers(f"{url}: an answer has status {bad}")
    began = min(start for start, _, _ in rows)
    found = [took / 1e3 for start, status, took in rows if status == 200 and start >= began + WARM_UP_SECONDS * 1e6]
    data = int(re.search(r"\((\d+)\) data", said).group(1))
    answered = sum(status == 200 for _, status, _ in rows)
    if len(found) < 0.9 * rate * seconds or data < body_bytes * answered:
        raise BadAnswers(f"{url}: {len(found)} answers of {rate * seconds}, {data} bytes:\n{said}")
    return found


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
