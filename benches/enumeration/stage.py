"""The pools, their users, and names that nobody has."""

import secrets
import time

from enumeration.client import Browser, Client
from harness import mail, pool
from harness.process import LOOPBACK, free_port

PASSWORD = "a password that nobody here has"
# Uses of one name at one place, as a form may be sent five times in an hour.
USES = 4
# What users there are. `unverified`: the address is not confirmed. `no-password`: one is to be chosen, with a code.
KINDS = {
    "confirmed": {"status": "CONFIRMED", "attributes": {"email_verified": "true"}},
    "unverified": {"status": "CONFIRMED", "attributes": {"email_verified": "false"}},
    "no-password": {"status": "RESET_REQUIRED", "attributes": {"email_verified": "true"}},
    "disabled": {"status": "CONFIRMED", "enabled": False, "attributes": {"email_verified": "true"}},
}
NOBODY = "nobody"
# Users of the second pool choose a name, and sign in with it or with their address.
BY_ADDRESS, BY_NAME = "login.localhost", "names.localhost"
LOGIN_PAGE = "https://page.test"
CALLBACK = "https://app.test/callback"


class Stage:
    def __init__(self, running, requests):
        names = -(-requests // USES)
        self.users = {host: {kind: [new_name() for _ in range(names)] for kind in KINDS} for host in (BY_ADDRESS, BY_NAME)}
        self.nobody = {place: [new_name() for _ in range(names)] for place in (BY_ADDRESS, BY_NAME)}
        port = free_port()
        server = running.start(mail.sink(running.directory, free_port()))
        settings = configuration(running, port, server.port)
        process = running.start_vestibule(settings)
        for host, name in ((BY_ADDRESS, "people"), (BY_NAME, "names")):
            pool.add_users(running, [user(host, kind, address) for kind, all_of in self.users[host].items() for address in all_of], name)
        self.process, self.client = process, Client(port)

    def wait_for_mails(self):
        """Ends the bench where fewer were sent than there are users of a kind: there would be nothing to see.

        Not one for each request: a code that is replaced within a second is not sent.
        """
        count, end, process = len(self.nobody[BY_ADDRESS]), time.monotonic() + 20, self.process
        while (sent := process.metric("vestibule_pool_messages_total", "outcome").get("sent", 0)) < count:
            if time.monotonic() > end:
                raise SystemExit(f"{sent} mails were sent, and there should be {count}:\n{process.log()}")
            time.sleep(0.2)

    def name(self, host, kind, number):
        """One of the addresses of such users, or of nobody."""
        known = self.nobody[host] if kind == NOBODY else self.users[host][kind]
        return known[number % len(known)]

    def browser(self, host):
        return Browser(self.client, host)


def new_name():
    """An address. All have the same length."""
    return f"{secrets.token_hex(6)}@example.com"


def configuration(running, port, mail_port):
    settings = running.vestibule_configuration(free_port(), port=port)
    [listener] = settings["listeners"]
    listener["trusted_proxies"] = ["127.0.0.0/8"]
    listener["default_actions"] = [{"type": "fixed-response", "status_code": 404}]
    more = {
        "sign_up": {"open": True, "verify": ["email"]},
        "recovery": ["email"],
        "mail": {"smtp": f"smtp://{LOOPBACK}:{mail_port}", "from": "Bench <bench@example.com>"},
        "messages": {"limits": {"per_user": 1000, "per_destination": 1000, "mails": 100_000}},
    }
    pool.with_store(running, settings, **more, sign_in={"username": "email", "first_factors": ["password", "email_code"]})
    people = settings["user_pools"]["people"]
    people["clients"] = [{"client_id": "app", "redirect_uris": [CALLBACK],
                          "login_page": {"url": f"{LOGIN_PAGE}/login"}}]
    del people["applications"]
    names = {**people, "issuer": f"https://{BY_NAME}:{port}", "sign_in": {"aliases": ["email"]}}
    names["store"] = {**people["store"], "sqlite": f"{running.directory}/names.db"}
    settings["user_pools"]["names"] = names
    return settings


def user(host, kind, address):
    """A line of an import."""
    described = KINDS[kind]
    return {**described, "username": address if host == BY_ADDRESS else f"u-{address.partition('@')[0]}",
            "attributes": {"email": address, **described["attributes"]}}
