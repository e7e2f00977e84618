"""Logins through the embedded issuer: with the password hashed each time, and without."""

from comparison import cast as who
from comparison.requests import fewer
from harness import logins


def run(cast, arguments):
    """Answers {with password | single sign-on: [{cpu_ms, rate} of each round]}; only Vestibule has an issuer in it."""
    [vestibule] = cast.pick(who.VESTIBULE)

    def measure(with_password):
        done, _, cpu_seconds = logins.run(
            cast.bench, vestibule.process, with_password=with_password, seconds=arguments.seconds)
        return {"cpu_ms": cpu_seconds * 1e3 / done.requests, "rate": done.rate}

    return {
        kind: [measure(with_password) for _ in range(fewer(arguments.rounds))]
        for kind, with_password in (("password", True), ("single_sign_on", False))
    }
