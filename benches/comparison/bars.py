"""What Vestibule is to reach, and whether it does."""

import dataclasses
import statistics

from comparison.cast import APACHE, ENVOY, NGINX, VESTIBULE
from comparison.unseen import extra_us
from harness import stats
from harness.load import NAMES


@dataclasses.dataclass(frozen=True)
class Bar:
    """`value` is None where it was not measured; lower is better in all of them."""

    what: str
    value: float | None
    limit: float
    unit: str = ""

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        return "yes" if self.value <= self.limit else "**no**"


def of(jobs):
    """Every bar, from the jobs of a run."""
    found = []
    for protocol, name in NAMES.items():
        rounds = jobs.get("requests", {}).get(protocol, {})
        for peer, limit, label in ((NGINX, 1.0, "nginx, no sign-in, same cookie"), (ENVOY, 0.17, "Envoy, signed in"),
                                   (APACHE, 0.1, "mod_auth_openidc, signed in")):
            found.append(Bar(f"CPU per request, {name}, 1 KiB ÷ {label}", against(rounds, peer, "cpu_us"), limit))
        rounds = jobs.get("bodies", {}).get(protocol, {})
        found.append(Bar(f"CPU per request, {name}, 1 MiB ÷ nginx", against(rounds, NGINX, "cpu_us"), 0.8))
        rounds = jobs.get("latency", {}).get(protocol, {}).get("fractions", {}).get("0.5", {})
        found.append(Bar(f"p99 at half of nginx's most, {name} ÷ nginx", against(rounds, NGINX, "p99_ms"), 1.1))
    rounds = jobs.get("handshakes", {}).get("full", {})
    found.append(Bar("CPU per full handshake ÷ nginx", against(rounds, NGINX, "cpu_us"), 1.1))
    found.append(Bar("Memory per idle TLS connection, HTTP/1.1 ÷ nginx", idle_ratio(jobs, "request"), 1.5))
    found.append(Bar("Memory per idle TLS connection, HTTP/2 ÷ nginx", idle_ratio(jobs, "http2"), 1.5))
    unseen = statistics.median(extra_us(jobs["unseen"])) if "unseen" in jobs else None
    found.append(Bar("First request of a session, above the next ones", unseen, 60, " µs"))
    rest = jobs.get("memory", {}).get("rest", {}).get(VESTIBULE)
    found.append(Bar("Memory at rest (RSS)", rest and rest["resident_kib"] * 1024 / 1e6, 15, " MB"))
    return found


def against(rounds, peer, key):
    if VESTIBULE not in rounds or peer not in rounds:
        return None
    return stats.ratio([one[key] for one in rounds[VESTIBULE]], [one[key] for one in rounds[peer]])


def idle_ratio(jobs, kind):
    found = jobs.get("memory", {}).get("idle", {}).get(kind, {})
    ours, theirs = (found.get(name, {}).get("kib_per_connection") for name in (VESTIBULE, NGINX))
    return ours / theirs if ours and theirs else None
