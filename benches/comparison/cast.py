"""Who is compared: every proxy, started and, where it signs users in, signed in."""

import dataclasses
import re
import sys

from harness.process import Process

NGINX, NGINX_BARE, HAPROXY, VESTIBULE = "nginx", "nginx-bare", "haproxy", "vestibule"
ENVOY, ENVOY_CACHE, APACHE = "envoy", "envoy-cache", "apache"
LABELS = {
    NGINX: "nginx, no sign-in, same cookie",
    NGINX_BARE: "nginx, no sign-in, no cookie",
    HAPROXY: "HAProxy, no sign-in, same cookie",
    VESTIBULE: "Vestibule, signed in",
    ENVOY: "Envoy, signed in",
    ENVOY_CACHE: "Envoy, signed in, its JWT cache on",
    APACHE: "Apache mod_auth_openidc, signed in",
}
PLAIN, SIGNED_IN = (NGINX, HAPROXY), (VESTIBULE, ENVOY, ENVOY_CACHE, APACHE)
PEERS = (NGINX, HAPROXY, ENVOY, ENVOY_CACHE, APACHE)

# Random bytes among a user's claims, and how many cookies the session then takes.
USERS = {"demo": (0, 1), "demo2": (1700, 2), "demo4": (5200, 4)}


@dataclasses.dataclass(frozen=True)
class Contender:
    """A proxy and the `Cookie` header that it is sent."""

    name: str
    process: Process
    cookie: str | None


class Cast:
    """Everybody that `peers` names, and Vestibule. What could not be set up is in `absent`, with the reason."""

    def __init__(self, bench, peers):
        self.bench, self.absent = bench, {}
        self.backend = bench.start_backend()
        self.cookies = {}  # of Vestibule, by the number of shards
        self.contenders = {}
        users = [bench.user(name, padding) for name, (padding, _) in USERS.items()]
        vestibule = bench.start_vestibule(bench.vestibule_configuration(self.backend.port, users=users))
        for name, (_, shards) in USERS.items():
            cookie = bench.sign_in(vestibule, name)
            # Its cookies end in a number; another counts the rounds of a login.
            if (found := len(re.findall(r"-\d+=", cookie))) != shards:
                raise SystemExit(f"the session of {name} has {found} cookies, not {shards}")
            self.cookies[shards] = cookie
        self._add(VESTIBULE, vestibule, self.cookies[1])
        for name in peers:
            try:
                self._start(name)
            except (SystemExit, OSError) as error:
                if name == NGINX:
                    raise
                # Told in the report: a peer that is missing must not look as if nobody had thought of it.
                self.absent[name] = str(error)
                print(f"{LABELS[name]}: could not be set up: {error}", file=sys.stderr)
        # The order in tables, and in rounds.
        self.contenders = {name: self.contenders[name] for name in LABELS if name in self.contenders}
        self.check()

    def _add(self, name, process, cookie):
        self.contenders[name] = Contender(name, process, cookie)

    def _start(self, name):
        if name == NGINX:
            process = self.bench.start_nginx(self.backend.port)
            self._add(NGINX_BARE, process, None)
            self._add(NGINX, process, self.cookies[1])
        elif name == HAPROXY:
            self._add(HAPROXY, self.bench.start_haproxy(self.backend.port), self.cookies[1])
        elif name in (ENVOY, ENVOY_CACHE):
            process = self.bench.start_envoy(self.backend.port, name, jwt_cache=name == ENVOY_CACHE)
            self._add(name, process, self.bench.sign_in(process, path="/"))
        elif name == APACHE:
            process = self.bench.start_apache(self.backend.port)
            self._add(APACHE, process, self.bench.sign_in(process, path="/"))

    def sign_in_again(self, name):
        """For one whose sessions ended with its restart; answers the cookie."""
        process = self.contenders[name].process
        self._add(name, process, self.bench.sign_in(process, path="/"))
        return self.contenders[name].cookie

    def check(self):
        """Everyone answers with its cookie, and those that sign users in do not without."""
        for contender in self.contenders.values():
            self.bench.check(contender.process, contender.cookie)
            if contender.name in SIGNED_IN:
                self.bench.check_refuses(contender.process)

    def pick(self, *names):
        """Of these, those that are there."""
        return [self.contenders[name] for name in names if name in self.contenders]

    def with_cookie(self, cookie, *names):
        """The same, all sent this cookie."""
        return [dataclasses.replace(contender, cookie=cookie) for contender in self.pick(*names)]
