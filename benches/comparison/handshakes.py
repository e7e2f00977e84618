"""CPU of a TLS handshake, full and resumed: TLS 1.3, X25519, ECDSA P-256, see `harness/handshakes.py`."""

import time

from comparison import cast as who
from comparison.requests import fewer
from harness import handshakes, stats

KINDS = {"full": False, "resumed": True}


def run(cast, arguments):
    """Answers {ciphers: {contender: name}, full: {contender: [{cpu_us, rate}]}, resumed: the same}."""
    everyone = cast.pick(who.NGINX, who.HAPROXY, who.VESTIBULE, who.ENVOY, who.APACHE)

    def measure(contender, resumed):
        port = contender.process.port
        before, began = contender.process.cpu_seconds(), time.monotonic()
        done = handshakes.run(port, resumed=resumed, seconds=arguments.seconds)
        took = time.monotonic() - began
        return {"cpu_us": (contender.process.cpu_seconds() - before) * 1e6 / done.requests, "rate": done.requests / took}

    found = {"ciphers": {one.name: handshakes.cipher(one.process.port) for one in everyone}}
    for kind, resumed in KINDS.items():
        found[kind] = stats.rounds(fewer(arguments.rounds), everyone, lambda contender, resumed=resumed: measure(contender, resumed))
    return found
