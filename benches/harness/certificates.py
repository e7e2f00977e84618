"""Certificates and keys, by the openssl command."""

import dataclasses
import os

from harness.process import output

HOSTS = "DNS:localhost,DNS:login.localhost,IP:127.0.0.1"


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Paths. `both` has the two in one file, as HAProxy wants them."""

    chain: str
    key: str
    both: str


def make_certificate(directory):
    """One self-signed ECDSA P-256 certificate for everyone. It is its own authority, so that clients can check it."""
    chain, key, both = (os.path.join(directory, name) for name in ("certificate.pem", "key.pem", "both.pem"))
    output(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-keyout", key, "-out", chain, "-subj", "/CN=localhost", "-addext", f"subjectAltName={HOSTS}"])
    with open(both, "wb") as file:
        for part in (chain, key):
            with open(part, "rb") as source:
                file.write(source.read())
    return Certificate(chain, key, both)


def make_signing_key(directory, name):
    """A P-256 private key in PEM form; returns its path."""
    path = os.path.join(directory, name)
    output(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path])
    return path
