"""CPU of one size: that of Vestibule's processes in a window of time, over the requests that reached the target in it.

The window begins when all connections are open and each has had its turn twice: handshakes do not count.
"""

import time

from harness import load, nginx

TURNS_BEFORE = 2
WARM_SECONDS = 0.4
DEADLINE_SECONDS = 60
POLL_SECONDS = 0.05


class Measure:
    """For `stats.rounds`."""

    def __init__(self, backend, seconds):
        self.backend, self.seconds = backend, seconds
        self.asked = {}  # with turns: how many were, by name; the next round goes on from there

    def __call__(self, size):
        """Answers {cpu_us, rate, connections: to the target for each request, cached: share of sessions known to the worker,
        own_mib: memory while loaded}."""
        process = size.process
        script = size.turns and size.turns.script(start=self.asked.get(size.name, 0), count=size.count)
        with load.Closed(process.url(size.path), size.cookie, connections=size.connections, script=script) as running:
            self.warm(running, size)
            opened, (made, before), cpu, began = process.sessions_opened(), *self.now(process)
            time.sleep(self.seconds)
            (made_now, now), cpu_now, ended = self.now(process)
            opened_now, memory = process.sessions_opened(), process.memory()
        if size.turns:
            self.asked[size.name] = (self.asked.get(size.name, 0) + running.done.requests) % (size.count or size.turns.count)
        self.settle(process)
        requests = now - before
        cached, fresh = (opened_now[outcome] - opened[outcome] for outcome in ("cached", "ok"))
        return {"cpu_us": (cpu_now - cpu) * 1e6 / requests, "rate": requests / (ended - began),
                "connections": (made_now - made) / requests, "cached": cached / (cached + fresh), "own_mib": memory.own / 1024}

    def now(self, process):
        return nginx.served(self.backend), process.cpu_seconds(), time.monotonic()

    def warm(self, running, size):
        """Until all connections are there and have been answered."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while size.process.metric("vestibule_connections_open") < size.connections:
            running.check()
            pause(deadline, f"{size.process.name}: {size.connections} connections were not opened")
        _, before = nginx.served(self.backend)
        time.sleep(WARM_SECONDS)
        while nginx.served(self.backend)[1] < before + TURNS_BEFORE * size.connections:
            running.check()
            pause(deadline, f"{size.process.name}: {size.connections} connections were not answered")

    def settle(self, process):
        """Until it has seen that the clients are gone."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while process.metric("vestibule_connections_open") > 0:
            pause(deadline, f"{process.name}: connections are still open")


def pause(deadline, otherwise):
    if time.monotonic() > deadline:
        raise SystemExit(f"{otherwise} within {DEADLINE_SECONDS} s")
    time.sleep(POLL_SECONDS)
