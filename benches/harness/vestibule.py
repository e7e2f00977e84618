"""Vestibule's configuration: signed in through its own user pool."""

import json
import random
import re
import secrets
import urllib.request

from harness.browser import PASSWORD
from harness.certificates import make_signing_key
from harness.process import LOOPBACK, Process, free_port, output, write

# Characters that a compressor makes nothing of; the users differ by what `user` pads them with.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Keys:
    """What a deployment keeps: made once for a bench, so that a restart opens the sessions from before."""

    def __init__(self, directory, binary):
        self.session = write(directory, "session-key", secrets.token_hex(32) + "\n")
        self.claims = make_signing_key(directory, "claims-key.pem")
        self.pool = make_signing_key(directory, "pool-key.pem")
        self.password_hash = output([binary, "users", "hash"], input=PASSWORD + "\n").strip()


def user(keys, username, padding_bytes=0):
    """A user of the pool. `padding_bytes` of random claims end in the session, in the signed claims and in the cookie."""
    found = {
        "username": username,
        "password_hash": keys.password_hash,
        "email": f"{username}@example.com",
        "name": "Demo",
        "groups": ["staff"],
    }
    if padding_bytes:
        found["claims"] = {"padding": "".join(random.Random(padding_bytes).choices(ALPHABET, k=padding_bytes))}
    return found


def configuration(directory, keys, certificate, target_port, *, port=None, workers=2, users=None, clients=()):
    """A configuration as a dictionary, to be changed at will before `process` writes it.

    One listener: `GET /healthz` is answered by itself, the rest needs a sign-in with the pool at `login.localhost` and goes
    to the target. Limits allow what the benches do: 40,000 connections, each idle for ten minutes.
    """
    port = port or free_port()
    return {
        "workers": workers,
        "listeners": [{
            "name": "public",
            "address": f"{LOOPBACK}:{port}",
            "protocol": "https",
            "certificates": [{"certificate_file": certificate.chain, "private_key_file": certificate.key}],
            "limits": {"connections_max": 40_000, "idle_timeout": "10m"},
            "rules": [{
                "name": "health",
                "priority": 1,
                "conditions": [{"path_pattern": ["/healthz"]}],
                "actions": [{"type": "fixed-response", "status_code": 200, "body": "ok"}],
            }],
            "default_actions": [
                {"type": "authenticate-user-pool", "user_pool": "people", "scope": "openid profile email"},
                {"type": "forward", "target_group": "app"},
            ],
        }],
        "user_pools": {"people": {
            "issuer": f"https://login.localhost:{port}",
            "signing_key_file": keys.pool,
            "applications": [f"https://localhost:{port}"],
            "users": users or [user(keys, "demo")],
            **({"clients": list(clients)} if clients else {}),
        }},
        "target_groups": {"app": {"protocol": "http", "targets": [f"{LOOPBACK}:{target_port}"]}},
        "session": {"key_files": [keys.session]},
        "claims": {"signer": "arn:vestibule:bench", "signing_key_file": keys.claims},
        "admin": {"address": f"{LOOPBACK}:{free_port()}"},
        "access_log": {"destination": f"{directory}/vestibule-access.log"},
        "shutdown": {"delay": "0s"},
    }


class Vestibule(Process):
    """With what it tells of itself at its admin address."""

    admin_port = None

    def metric(self, name, label=None):
        """The sum of its samples, or with `label` {value: sum}."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.admin_port}/metrics", timeout=30) as answer:
            samples = re.findall(rf"^{name}(?:{{(.*)}})? (\d+)$", answer.read().decode(), re.M)
        if label is None:
            return sum(int(count) for _, count in samples)
        found = {}
        for labels, count in samples:
            value = re.search(rf'\b{label}="([^"]*)"', labels).group(1)
            found[value] = found.get(value, 0) + int(count)
        return found

    def sessions_opened(self):
        """By outcome, since the start: `ok` is one that this worker did not know, `cached` one that it did."""
        return self.metric("vestibule_sessions_opened_total", "outcome")


def process(directory, binary, settings, name="vestibule", wrapper=()):
    """The process that serves a configuration, not started. `wrapper` goes before the command (`valgrind …`)."""
    port = int(settings["listeners"][0]["address"].rpartition(":")[2])
    path = write(directory, f"{name}.yaml", json.dumps(settings, indent=2))  # JSON is YAML, and needs no library
    found = Vestibule([*wrapper, binary, "serve", "--config", path], directory, name, port)
    found.admin_port = int(settings["admin"]["address"].rpartition(":")[2])
    return found
