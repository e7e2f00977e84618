"""Processes: start one, wait until it listens, read what the kernel counted for it and its children, end it."""

import dataclasses
import os
import random
import re
import signal
import socket
import subprocess
import time

LOOPBACK = "127.0.0.1"
START_DEADLINE_SECONDS = 60  # under valgrind a start takes long
STOP_DEADLINE_SECONDS = 15
PORTS_FROM, GIVEN = 10_240, set()
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Memory:
    """Of a process with its children, in KiB.

    `resident` is the sum of what each has in memory (RSS): what several share counts for each, and so do pages of the
    program's file. `own` is what is no file's, counted once where processes share it (PSS of anonymous and shared memory).
    """

    resident: int
    own: int


class Process:
    """A server with its children."""

    def __init__(self, command, directory, name, port, environment=None):
        self.command, self.directory, self.name, self.port = command, directory, name, port
        self.log_path = os.path.join(directory, f"{name}.log")
        self.environment = None if environment is None else {**os.environ, **environment}
        self.child = None

    def start(self):
        """Starts it and returns at once."""
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, env=self.environment,
                start_new_session=True)  # Ctrl-C is for the bench, which then ends this one
        return self

    def wait_until_it_listens(self):
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                break
            try:
                socket.create_connection((LOOPBACK, self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"{self.name} did not start on port {self.port}:\n{self.log()}")

    def log(self):
        """The end of what it wrote to standard output and standard error."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-4000:]

    def url(self, path="/", host="localhost"):
        return f"https://{host}:{self.port}{path}"

    def pids(self):
        """It and all its descendants."""
        found, parents = [self.child.pid], {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    parents.setdefault(int(stat_fields(entry)[1]), []).append(int(entry))
                except OSError:
                    pass  # it ended while we looked
        for pid in found:
            found.extend(parents.get(pid, []))
        return found

    def cpu_seconds(self):
        """User and system time so far: all threads of all its processes, those that have ended included."""
        ticks = 0
        for pid in self.pids():
            try:
                ticks += sum(int(field) for field in stat_fields(pid)[11:15])
            except OSError:
                pass  # its parent has its time from now on
        return ticks / TICKS_PER_SECOND

    def memory(self):
        resident = own = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                text = file.read()
            resident += int(re.search(r"^Rss: +(\d+) kB", text, re.M).group(1))
            own += sum(int(kib) for kib in re.findall(r"^Pss_(?:Anon|Shmem): +(\d+) kB", text, re.M))
        return Memory(resident, own)

    def open_files(self):
        """File descriptors, connections among them."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def wait(self, seconds):
        """Its exit code when it has ended by itself, or None if it still runs after that time."""
        try:
            return self.child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        """Asks it to end and waits; what does not end is killed, children too."""
        if self.child is None or self.child.poll() is not None:
            return
        pids = self.pids()
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(timeout=STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.child.wait()


def stat_fields(pid):
    """The fields of /proc/PID/stat after the name, which may contain anything: [0] is the state, [1] the parent."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def free_port():
    """A port that nobody has, and nobody was given before. Below those that the kernel gives to clients: a server that is
    started again must find its own, also after ten thousand connections."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = int(file.read().split()[0])
    candidates = [port for port in range(PORTS_FROM, end) if port not in GIVEN]
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        GIVEN.add(port)
        return port
    raise SystemExit(f"no free port from {PORTS_FROM} to {end}")


def write(directory, name, text):
    """Writes a file of a server's; returns its path."""
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def output(command, **options):
    """What a command that must succeed said."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
