"""As much of a browser as signing in needs."""

import email.utils
import html.parser
import http.client
import http.cookies
import socket
import ssl
import time
import urllib.parse

from harness.process import LOOPBACK

PASSWORD = "correct horse battery staple"
REDIRECTS_MAX = 12
TIMEOUT_SECONDS = 30


class Failed(Exception):
    """The browser did not get where it should."""


class Browser:
    """Cookies by host, redirects by hand, every name on the loopback address, one connection kept to each origin."""

    def __init__(self, certificate):
        self.context = ssl.create_default_context(cafile=certificate.chain)
        self.cookies = {}
        self.connections = {}

    def request(self, method, url, form=None):
        """One request; answers its status, the absolute `Location` or None, and the body as text."""
        parts = urllib.parse.urlsplit(url)
        jar = self.cookies.setdefault(parts.hostname, {})
        headers = {
            "Host": parts.netloc,
            "Accept": "text/html",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        if jar:
            headers["Cookie"] = cookie_header(jar)
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"
            headers["Sec-Fetch-Site"] = "same-origin"
        target = parts.path or "/"
        answer, text = self._exchange(parts, method, f"{target}?{parts.query}" if parts.query else target, body, headers)
        for line in answer.headers.get_all("set-cookie") or []:
            keep(jar, line)
        location = answer.headers.get("location")
        return answer.status, location and urllib.parse.urljoin(url, location), text

    def _exchange(self, parts, method, target, body, headers):
        for fresh in (False, True):
            if fresh or parts.netloc not in self.connections:
                self.connections[parts.netloc] = self.connect(parts)
            connection = self.connections[parts.netloc]
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                return answer, answer.read().decode("utf-8", "replace")
            except (http.client.HTTPException, OSError):
                if fresh:
                    raise
                # The server closed the kept connection; once more on a new one.
                connection.close()
        raise AssertionError("the second try returns or raises")

    def connect(self, parts):
        """A new connection to where a split URL leads."""
        connection = http.client.HTTPSConnection(LOOPBACK, parts.port)
        plain = socket.create_connection((LOOPBACK, parts.port), timeout=TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = self.context.wrap_socket(plain, server_hostname=parts.hostname)
        return connection

    def follow(self, method, url, form=None):
        """Follows redirects; answers the last status, address and body."""
        for _ in range(REDIRECTS_MAX):
            status, location, text = self.request(method, url, form)
            if location is None or not 300 <= status < 400:
                return status, url, text
            method, url, form = "GET", location, None
        raise Failed(f"too many redirects, the last to {url}")

    def sign_in(self, url, username):
        """Signs in through a user pool's page on the way to `url`; answers the body at `url`."""
        status, at, text = self.follow("GET", url)
        form = Form(text).found
        if form is None:
            raise Failed(f"no sign-in form at {at} ({status}):\n{text[:2000]}")
        fields = {**form["fields"], "username": username, "password": PASSWORD}
        status, at, text = self.follow("POST", urllib.parse.urljoin(at, form["action"]), fields)
        if status != 200 or at != url:
            raise Failed(f"signing in ended at {at} with {status}:\n{text[:2000]}")
        return text

    def cookie_for(self, url):
        """The `Cookie` header that it sends to that host."""
        return cookie_header(self.cookies[urllib.parse.urlsplit(url).hostname])

    def close(self):
        for connection in self.connections.values():
            connection.close()


def keep(jar, line):
    """Puts what one `Set-Cookie` says into the jar of its host. No paths: all that we meet have `/`."""
    for name, morsel in http.cookies.SimpleCookie(line).items():
        if morsel["max-age"] == "0" or morsel.value == "" or is_past(morsel["expires"]):
            jar.pop(name, None)
        else:
            jar[name] = morsel.coded_value


def is_past(date):
    return bool(date) and email.utils.parsedate_to_datetime(date).timestamp() < time.time()


def cookie_header(jar):
    return "; ".join(f"{name}={value}" for name, value in jar.items())


class Form(html.parser.HTMLParser):
    """The form with a password field: where it goes, and what it says already. `found` is None where there is none."""

    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.feed(text)
        self.found = next((form for form in self.forms if "password" in form["fields"]), None)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append({"action": attributes.get("action") or "", "fields": {}})
        elif tag == "input" and self.forms and attributes.get("name"):
            self.forms[-1]["fields"][attributes["name"]] = attributes.get("value") or ""
