"""Latency at a fixed rate, open loop (oha), at fractions of the rate that nginx reaches at most on this machine.

A request is due at its time whether or not the one before has been answered, and its latency counts from then. nginx's
most is measured with the same generator, which shares the cores with proxy and target.
"""

import statistics

from comparison import cast as who
from comparison import console
from comparison.requests import fewer
from harness import load, stats

FRACTIONS = (0.25, 0.5, 0.75)
BAR_FRACTION = 0.5  # what a bar is set for has more rounds
SATURATION_RUNS = 3
# What a run must reach of the rate that was asked for; below, its latencies are those of a queue that grows.
KEPT_UP = 0.97


def run(cast, arguments):
    """Answers {protocol: {saturation, fractions: {fraction: {contender: [{asked, rate, p50_ms, p99_ms, kept_up}]}}}}."""
    return {protocol: measure_protocol(cast, protocol, arguments) for protocol in arguments.protocols}


def measure_protocol(cast, protocol, arguments):
    everyone = cast.pick(who.NGINX, who.HAPROXY, who.VESTIBULE, who.ENVOY, who.APACHE)

    def measure(contender, rate, seconds):
        return load.fixed_rate(protocol, contender.process.url("/"), contender.cookie, rate=rate, seconds=seconds)

    [nginx] = cast.pick(who.NGINX)
    saturation = statistics.median(measure(nginx, None, arguments.seconds).rate for _ in range(SATURATION_RUNS))
    console.progress(f"{load.NAMES[protocol]}: nginx answers at most {saturation:.0f}/s")

    def at(fraction):
        def one(contender):
            found = measure(contender, fraction * saturation, arguments.seconds)
            return {"asked": found.asked, "rate": found.rate, "p50_ms": found.p50, "p99_ms": found.p99,
                    "kept_up": found.rate >= KEPT_UP * found.asked}
        rounds = arguments.rounds if fraction == BAR_FRACTION else fewer(arguments.rounds)
        # Who does not keep up with one rate is not asked for a higher one, but for the two that every ratio needs.
        return stats.rounds(rounds, [one for one in everyone if one.name not in left_behind], one)

    fractions, left_behind = {}, set()
    for fraction in FRACTIONS:
        fractions[str(fraction)] = at(fraction)
        for name, found in fractions[str(fraction)].items():
            if not keeps_up(found) and name not in (who.NGINX, who.VESTIBULE):
                left_behind.add(name)
    return {"saturation": saturation, "fractions": fractions}


def keeps_up(found):
    """In half of its rounds at least: one bad minute is no verdict."""
    return statistics.median(one["kept_up"] for one in found) >= 0.5
