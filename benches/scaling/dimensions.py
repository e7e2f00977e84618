"""What grows: rules, target groups, targets, sessions, connections. Everything else stays as it is.

A dimension's `prepare(stage)` starts what it needs and answers a `Size` for each; the first is what the others are compared
with. All rules sign users in (as the default does), so that every request measured is one of a user who is signed in.
"""

import dataclasses
import itertools
import os
import resource
from collections.abc import Callable

from harness import logins
from harness.process import Process
from harness.turns import Turns

CONNECTIONS = 64
FILES_BESIDES = 200  # that a process has open besides connections
BAR_FROM, BAR_TO, BAR_RATIO = "10", "1,000", 1.1  # of rules


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of it, and whom to ask what.

    `aside` is a case that is not on the line from small to large. With `turns`, paths and cookies are its first `count`.
    """

    name: str
    size: int
    process: Process
    cookie: str | None = None
    path: str = "/"
    connections: int = CONNECTIONS
    aside: bool = False
    turns: Turns | None = None
    count: int | None = None


@dataclasses.dataclass(frozen=True)
class Dimension:
    """`what` is its unit, as a heading and in a sentence; `text` says what was asked, in Markdown."""

    what: str
    text: str
    prepare: Callable[..., list[Size]]


class Stage:
    """A bench with its target, and what a dimension starts there: a process for each size, or its memory would say nothing."""

    def __init__(self, bench, backend, addresses, quick):
        self.bench, self.backend, self.addresses, self.quick = bench, backend, addresses, quick
        self.started = []

    def vestibule(self, name, change=lambda listener, settings: None):
        """Starts one, the default configuration without rules, changed; answers it and a session's `Cookie` header."""
        process = self.start(name, change)
        return process, self.bench.sign_in(process)

    def start(self, name, change):
        """The same, without signing in."""
        settings = self.bench.vestibule_configuration(self.backend.port)
        [listener] = settings["listeners"]
        listener["rules"] = []
        settings["access_log"]["destination"] = self.access_log(name)
        change(listener, settings)
        process = self.bench.start_vestibule(settings, name)
        self.started.append(process)
        return process

    def access_log(self, name):
        return os.path.join(self.bench.directory, f"{name}-access.log")

    def targets(self, start, count):
        return [f"{address}:{self.backend.port}" for address in self.addresses[start:start + count]]

    def clear(self):
        for process in self.started:
            self.bench.stop(process)
            os.remove(self.access_log(process.name))  # hundreds of MB
        self.started = []


def rule(number, listener, host, path, target_group="app"):
    sign_in, _ = listener["default_actions"]
    return {
        "name": f"rule-{number}",
        "priority": number,
        "conditions": [{"host_header": [host]}, {"path_pattern": [path]}],
        "actions": [sign_in, {"type": "forward", "target_group": target_group}],
    }


def rules(stage):
    def with_rules(name, pattern, count):
        def change(listener, _):
            listener["rules"] = [rule(number, listener, "localhost", pattern.format(number)) for number in range(1, count + 1)]
        return stage.vestibule(name, change)

    found = []
    for count in (1, 10, 100, 1000):
        process, cookie = with_rules(f"rules-{count}", "/app-{}/*", count)
        found.append(Size(f"{count:,}", count, process, cookie, f"/app-{count}/page"))
    found.append(Size("1,000, of which none matches", count, process, cookie, "/page", aside=True))
    process, cookie = with_rules("rules-open", "*/app-{}/*", count)
    found.append(Size("1,000, all beginning with `*`", count, process, cookie, f"/all/app-{count}/page", aside=True))
    return found


def target_groups(stage):
    def with_groups(name, count):
        def change(listener, settings):
            listener["rules"] = [rule(number, listener, "localhost", f"/group-{number}/*", f"group-{number}")
                                 for number in range(1, count + 1)]
            settings["target_groups"] |= {f"group-{number}": {"targets": stage.targets(number, 1)} for number in range(1, count + 1)}
        process, cookie = stage.vestibule(name, change)
        return process, cookie, [f"/group-{number}/page" for number in range(1, count + 1)]

    found = []
    for count in (1, 10, 100):
        process, cookie, paths = with_groups(f"groups-{count}", count)
        asked = Turns(stage.bench.directory, f"groups-{count}", [(path, cookie) for path in paths])
        found.append(Size(f"{count:,}", count, process, turns=asked))
    process, _, paths = with_groups("groups-users", count)
    cookies = logins.sessions(stage.bench, process, 100)
    asked = Turns(stage.bench.directory, "groups-users", ((path, cookie) for cookie, path in itertools.product(cookies, paths)))
    return [*found, Size("100, and 100 users at each", count, process, turns=asked, aside=True)]


def targets(stage):
    found = []
    for count in (1, 10, 100, 1000):
        def change(_, settings, count=count):
            settings["target_groups"]["app"]["targets"] = stage.targets(0, count)
        process, cookie = stage.vestibule(f"targets-{count}", change)
        found.append(Size(f"{count:,}", count, process, cookie))
    return found


def sessions(stage):
    counts = (1, 100, 1000) if stage.quick else (1, 100, 1000, 4000, 10_000, 100_000)
    pools = {}

    def first(_, settings):
        pools.update(settings["user_pools"])

    def replica(_, settings):
        settings["user_pools"] = pools  # and the same keys: it opens the sessions of the first
    login = stage.start("sessions-login", first)
    cookies = logins.sessions(stage.bench, login, counts[-1])
    asked = Turns(stage.bench.directory, "sessions", (("/", cookie) for cookie in cookies))
    return [Size(f"{count:,}", count, stage.start(f"sessions-{count}", replica), turns=asked, count=count) for count in counts]


def connections(stage):
    # A request that waits for its target holds two open files.
    most = min(10_000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_BESIDES) // 2)
    counts = (1, 10, 100, 1000) if stage.quick else (1, 10, 100, 1000, most)

    def more_idle(_, settings):
        settings["target_groups"]["app"]["idle_max"] = counts[-1]
    found = []
    for count in counts:
        process, cookie = stage.vestibule(f"connections-{count}")
        found.append(Size(f"{count:,}", count, process, cookie, connections=count))
    for count in counts[3:]:
        process, cookie = stage.vestibule(f"connections-idle-{count}", more_idle)
        found.append(Size(f"{count:,}, `idle_max: {counts[-1]}`", count, process, cookie, connections=count, aside=True))
    return found


DIMENSIONS = {
    "rules": Dimension("Rules", "Each rule has a `host_header` and a `path_pattern`; the request matches the last of them, but where "
                       "the row says that none matches. A pattern that begins with `*` cannot be looked up: such rules are asked one "
                       "after the other.", rules),
    "groups": Dimension("Target groups", "A rule for each by path, one target in each; requests to all of them in turn.", target_groups),
    "targets": Dimension("Targets", "Of one target group.", targets),
    "sessions": Dimension("Sessions", "Each from a login of its own, a request with each in turn. A worker remembers the 2,048 sessions "
                          "that it opened last, and up to as many before them; the others it opens anew.", sessions),
    "connections": Dimension("Connections", "All open, and each waiting for its answer before it asks again. A worker keeps `idle_max` "
                             "connections to each target (1,024 by default), and makes others anew. Where the machine's limit of open files "
                             "(`ulimit -Hn`) is below 20,200, the most is less than 10,000.", connections),
}
