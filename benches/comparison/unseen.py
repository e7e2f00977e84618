"""What the first request of a session costs: every request with another session, against requests with a few known ones.

Vestibule remembers the sessions that a worker has opened lately, twice 2048 of them at most. So with 10,000, asked one after
the other, both workers have forgotten each when it comes again; its metrics say whether that was so.
"""

from comparison import cast as who
from comparison.requests import fewer
from harness import load, logins, stats, turns

SESSIONS = 10_000
KNOWN = 64


class Variant:
    """Cookies for wrk to send in turn."""

    def __init__(self, directory, name, cookies):
        self.name = name
        self.script = turns.Turns(directory, name, [("/", cookie) for cookie in cookies]).script()


def extra_us(found):
    """CPU microseconds of opening a session, by round: the difference, over the share of requests that did open one."""
    return [
        (unseen["cpu_us"] - known["cpu_us"]) / (known["cached_share"] - unseen["cached_share"])
        for known, unseen in zip(found["known"], found["unseen"], strict=True)
    ]


def run(cast, arguments):
    """Answers {sessions, unseen | known: [{cpu_us, rate, cached_share}], login_rate}."""
    [vestibule] = cast.pick(who.VESTIBULE)
    process, directory = vestibule.process, cast.bench.directory
    made, cookies, _ = logins.run(cast.bench, process, with_password=False, count=SESSIONS)
    variants = [Variant(directory, "known", cookies[:KNOWN]), Variant(directory, "unseen", cookies)]

    def measure(variant):
        before, opened = process.cpu_seconds(), process.sessions_opened()
        done = load.closed(load.HTTP1, process.url("/"), None, seconds=arguments.seconds, script=variant.script)
        cpu, now = process.cpu_seconds() - before, process.sessions_opened()
        cached, fresh = (now.get(outcome, 0) - opened.get(outcome, 0) for outcome in ("cached", "ok"))
        return {"cpu_us": cpu * 1e6 / done.requests, "rate": done.rate, "cached_share": cached / max(1, cached + fresh)}

    found = stats.rounds(fewer(arguments.rounds), variants, measure)
    return {"sessions": len(set(cookies)), "login_rate": made.rate, **found}
