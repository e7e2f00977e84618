"""A browser without scripts, and the app of its user that shows one-time passwords."""

import base64
import hashlib
import hmac
import html
import http.client
import re
import socket
import ssl
import time
from urllib.parse import urlencode, urlsplit

LOGIN = "login.test"
TIMEOUT_SECONDS = 20
STEP_SECONDS = 30


class Gone(Exception):
    """There was no answer, so nothing is known."""


class Browser:
    """Every request is a connection of its own, from `address`. Pages of other hosts than `hosts` are not opened."""

    def __init__(self, port, hosts=(LOGIN,), address="127.0.0.1"):
        self.port, self.hosts, self.address, self.cookies = port, hosts, address, {}

    def send(self, method, target, form=None, headers=()):
        """`target` is an address, or a path at the pool. Returns the status, the address that the answer leads to, and its text."""
        host, target = urlsplit(target).hostname or LOGIN, self.path(target)
        cookies = self.cookies.setdefault(host, {})
        body = urlencode(form) if form is not None else None
        fields = {"Host": host, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
                  "Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", **dict(headers)}
        if method == "POST":
            fields |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{host}", "Sec-Fetch-Site": "same-origin"}
        context = ssl._create_unverified_context()
        try:
            with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS, (self.address, 0)) as plain:
                with context.wrap_socket(plain, server_hostname=host) as wrapped:
                    connection = http.client.HTTPConnection(host)
                    connection.sock = wrapped
                    connection.request(method, target, body, fields)
                    answer = connection.getresponse()
                    text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"{method} {target.partition('?')[0]}: {error!r}") from error
        for cookie in answer.headers.get_all("set-cookie", []):
            name, value = cookie.split(";")[0].split("=", 1)
            if re.search(r"(?i);\s*max-age=0", cookie):
                cookies.pop(name, None)
            else:
                cookies[name] = value
        leads_to = answer.headers.get("location", "")
        return answer.status, f"https://{host}{leads_to}" if leads_to.startswith("/") else leads_to, text

    def follow(self, location):
        """Opens a page, and those of our hosts that it leads to. Returns the status, the address and the text of the last."""
        for _ in range(12):
            status, leads_to, text = self.send("GET", location)
            if status not in (302, 303) or not self.is_ours(leads_to):
                return status, leads_to, text
            location = leads_to
        raise AssertionError(f"no end of redirects: {location}")

    def submit(self, page, typed):
        """Sends the first form of a page of the pool. Returns the same as `follow`."""
        action = html.unescape(re.search(r'<form method="post" action="([^"]*)"', page)[1])
        hidden = html.unescape(re.search(r'name="request" value="([^"]*)"', page)[1])
        status, leads_to, text = self.send("POST", action, {"request": hidden, **typed})
        if status == 303 and self.is_ours(leads_to):
            return self.follow(leads_to)
        return status, leads_to, text

    def is_ours(self, location):
        return urlsplit(location).hostname in self.hosts

    @staticmethod
    def path(location):
        parts = urlsplit(location)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def heading(page):
    """What a page is about, for a message."""
    found = re.search(r"(?s)<h1[^>]*>(.*?)</h1>", page)
    alert = re.search(r'(?s)role="alert"[^>]*>(.*?)</p>', page)
    return ": ".join(re.sub(r"<[^>]*>", "", match[1]).strip() for match in (found, alert) if match) or page[:200]


class App:
    """Shows one-time passwords (RFC 6238). The pool takes each once."""

    def __init__(self, secret):
        self.key, self.step = base64.b32decode(secret + "=" * (-len(secret) % 8)), 0

    def is_ready(self):
        return int(time.time()) // STEP_SECONDS > self.step

    def code(self):
        """A code that was not shown before. Waits for it."""
        while not self.is_ready():
            time.sleep(0.2)
        self.step = int(time.time()) // STEP_SECONDS
        digest = hmac.digest(self.key, self.step.to_bytes(8, "big"), hashlib.sha1)
        start = digest[-1] & 15
        return f"{(int.from_bytes(digest[start:start + 4]) & 0x7FFFFFFF) % 1_000_000:06}"
