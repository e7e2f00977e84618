"""A client that measures: raw requests over connections that are kept, one to each host."""

import dataclasses
import html.parser
import json
import random
import re
import socket
import ssl
import time
import urllib.parse

from harness.process import LOOPBACK


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple  # (name in lower case, value)
    body: str
    seconds: float  # from the first byte that was sent to the last that was read

    def header(self, name):
        return next((value for known, value in self.headers if known == name), None)


@dataclasses.dataclass(frozen=True)
class Request:
    """What is sent. It is made before the time is taken."""

    host: str
    data: bytes


class Client:
    """Each request comes from another address: the listener believes `X-Forwarded-For` of a loopback address."""

    def __init__(self, port):
        self.port, self.connections = port, {}
        # The certificate is our own.
        self.context = ssl._create_unverified_context()

    def send(self, request):
        connection = self.connections.get(request.host) or self._connect(request.host)
        began = time.perf_counter()
        connection.sendall(request.data)
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            head += self._read(connection, head)
        head, _, body = head.partition(b"\r\n\r\n")
        length = int(re.search(rb"^content-length: (\d+)", head, re.M | re.I).group(1))
        while len(body) < length:
            body += self._read(connection, body)
        seconds = time.perf_counter() - began
        lines = head.decode().split("\r\n")
        headers = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in lines[1:]))
        return Answer(int(lines[0].split()[1]), headers, body.decode(), seconds)

    def _read(self, connection, so_far):
        piece = connection.recv(65536)
        if not piece:
            raise SystemExit(f"the connection was closed: {so_far[:500]}")
        return piece

    def _connect(self, host):
        plain = socket.create_connection((LOOPBACK, self.port), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[host] = self.context.wrap_socket(plain, server_hostname=host)
        return self.connections[host]


class Browser:
    """A browser that has no cookies when it begins, at one host."""

    def __init__(self, client, host):
        self.client, self.host, self.cookies = client, host, {}
        self.address = ".".join(str(random.randint(1, 254)) for _ in range(3))

    def request(self, method, path, body=None, kind="application/x-www-form-urlencoded", **headers):
        authority = f"{self.host}:{self.client.port}"
        fields = {
            "Host": authority,
            "User-Agent": "Mozilla/5.0",
            "Accept": "text/html",
            "X-Forwarded-For": f"10.{self.address}",
            "X-Forwarded-Proto": "https",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "same-origin",
        }
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            fields.update({"Origin": f"https://{authority}", "Content-Type": kind, "Content-Length": str(len(body))})
        fields.update(headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
        return Request(self.host, f"{method} {path} HTTP/1.1\r\n{head}\r\n{body or ''}".encode())

    def get(self, path):
        return self.keep(self.client.send(self.request("GET", path)))

    def form(self, path, page, **typed):
        """The request that sends a form of a page, with its hidden value."""
        return self.request("POST", path, urllib.parse.urlencode({"request": hidden(page), **typed}))

    def json(self, path, origin, value):
        headers = {"Origin": origin, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "Accept": "*/*"}
        return self.request("POST", path, json.dumps(value), "application/json", **headers)

    def follow(self, answer):
        """The page of the pool that the answer leads to, or None."""
        location = answer.header("location")
        if not location:
            return None
        parts = urllib.parse.urlsplit(location)
        if parts.hostname not in (None, self.host):
            return None
        return self.get(f"{parts.path}?{parts.query}" if parts.query else parts.path)

    def keep(self, answer):
        """Keeps the cookies of an answer."""
        for name, value in answer.headers:
            if name == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        return answer


class _Hidden(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.value = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "input" and attributes.get("name") == "request" and self.value is None:
            self.value = attributes["value"]


def hidden(page):
    """The hidden value of the first form of a page."""
    found = _Hidden()
    found.feed(page.body)
    if found.value is None:
        raise SystemExit(f"no form: {page.status} {page.headers}\n{page.body[-1500:]}")
    return found.value
