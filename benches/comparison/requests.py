"""CPU and rate of requests: 1 KiB and 1 MiB bodies, sessions of one, two and four cookies, HTTP/1.1 and HTTP/2.

CPU is user and system time of all processes of the proxy (/proc/PID/stat) over the answers that the generator counted.
The rate is what a closed loop gets while generator, proxy and target share the machine: it is no capacity.
"""

import time

from comparison import cast as who
from harness import load, nginx, stats

CONNECTIONS = 64
MIB_CONNECTIONS = 8


def run(cast, arguments):
    """Answers {protocol: {contender: [{cpu_us, rate} of each round]}}: 1 KiB, each with its own cookie."""
    everyone = list(cast.contenders.values())
    return {protocol: measure_all(everyone, protocol, arguments) for protocol in arguments.protocols}


def run_bodies(cast, arguments):
    """The same with 1 MiB bodies, fewer connections and three fifths of the rounds."""
    everyone = cast.pick(who.NGINX, who.HAPROXY, who.VESTIBULE, who.ENVOY, who.APACHE)
    return {
        protocol: measure_all(everyone, protocol, arguments, rounds=fewer(arguments.rounds), path="/mib",
                              body_bytes=nginx.MIB_BYTES, connections=MIB_CONNECTIONS)
        for protocol in arguments.protocols
    }


def run_cookies(cast, arguments):
    """Answers {protocol: {number of shards: {cookie_bytes, rounds: {contender: …}}}}."""
    return {
        protocol: {
            str(shards): {
                "cookie_bytes": len(cookie),
                "rounds": measure_all(cast.with_cookie(cookie, who.NGINX, who.HAPROXY, who.VESTIBULE), protocol, arguments,
                                      rounds=fewer(arguments.rounds)),
            }
            for shards, cookie in cast.cookies.items()
        }
        for protocol in arguments.protocols
    }


def fewer(rounds):
    return max(2, rounds * 3 // 5)


def measure_all(contenders, protocol, arguments, *, rounds=None, path="/", body_bytes=1024, connections=CONNECTIONS):
    def measure(contender, seconds=arguments.seconds):
        before, began = contender.process.cpu_seconds(), time.monotonic()
        done = load.closed(protocol, contender.process.url(path), contender.cookie, seconds=seconds,
                           connections=connections, body_bytes=body_bytes)
        took = time.monotonic() - began
        cpu_us = (contender.process.cpu_seconds() - before) * 1e6 / done.requests
        return {"cpu_us": cpu_us, "rate": done.requests / took}

    for contender in contenders:
        measure(contender, 1)  # connections to the target, caches, code pages
    return stats.rounds(rounds or arguments.rounds, contenders, measure)
