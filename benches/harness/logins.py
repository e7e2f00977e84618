"""Many logins through Vestibule's own user pool, by several browsers at once."""

import concurrent.futures
import multiprocessing
import re
import time
import urllib.parse

from harness.browser import Failed, cookie_header
from harness.load import Done

CLIENTS = 4
SESSION_COOKIE = "__Host-vestibule-0="


def run(bench, proxy, *, with_password, seconds=None, count=None, clients=CLIENTS):
    """Logs in again and again, for `seconds` or until there are `count` sessions; answers `Done`, the `Cookie` headers and
    the CPU seconds that the proxy took.

    A login is all that a browser does for it, from the first request without a session to the application's answer, over
    connections that are kept. With the password it has no cookie at all when it begins; without, it is still signed in at
    the pool, which then asks for nothing.
    """
    context = multiprocessing.get_context("fork")
    queue, ready, go = context.Queue(), context.Semaphore(0), context.Event()
    share = None if count is None else -(-count // clients)
    children = [
        context.Process(target=_client, args=(queue, ready, go, bench, proxy, with_password, seconds, share), daemon=True)
        for _ in range(clients)
    ]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    before = proxy.cpu_seconds()
    go.set()
    found = [queue.get(timeout=600) for _ in children]
    cpu_seconds = proxy.cpu_seconds() - before
    for child in children:
        child.join()
    if failures := [one for one in found if isinstance(one, str)]:
        raise SystemExit(f"logging in at {proxy.name}: {failures[0]}\n{proxy.log()}")
    cookies = [cookie for _, some in found for cookie in some]
    return Done(len(cookies), max(took for took, _ in found)), cookies, cpu_seconds


def _client(queue, ready, go, bench, proxy, with_password, seconds, share):
    try:
        browser, url, cookies = bench.browser(), proxy.url("/"), []
        browser.sign_in(url, "demo")
        ready.release()
        go.wait()
        began = time.monotonic()
        while time.monotonic() < began + seconds if share is None else len(cookies) < share:
            browser.cookies["localhost"] = {}
            if with_password:
                browser.cookies.clear()
                browser.sign_in(url, "demo")
            else:
                status, at, _ = browser.follow("GET", url)
                if (status, at) != (200, url):
                    raise Failed(f"ended at {at} with {status}")
            cookies.append(cookie_header(browser.cookies["localhost"]))
        queue.put((time.monotonic() - began, cookies))
    except (Failed, OSError) as error:
        queue.put(str(error))
        ready.release()  # where it failed before it was ready: nobody waits for it


def sessions(bench, proxy, count, clients=8):
    """`Cookie` headers of as many sessions, each from a login of its own, as fast as they can be had.

    The browser is still signed in at the pool, and makes of each login the three requests that lead to the session's cookie
    (to the application, to the pool, back with the code); it does not read what it has no need of.
    """
    browser = bench.browser()
    browser.sign_in(proxy.url("/"), "demo")
    browser.close()
    shares = [count // clients + (number < count % clients) for number in range(clients)]
    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        made = threads.map(lambda share: list(_sessions(browser, proxy, share)), shares)
        found = [cookie for some in made for cookie in some]
    if len(set(found)) != count:
        raise SystemExit(f"{len(set(found))} sessions, not {count}")
    return found


def _sessions(browser, proxy, count):
    """Over connections of its own."""
    at_pool = cookie_header(browser.cookies["login.localhost"])
    urls = [urllib.parse.urlsplit(proxy.url("/", host)) for host in ("localhost", "login.localhost")]
    kept = [browser.connect(url) for url in urls]
    application, pool = ((connection.sock, url.netloc) for connection, url in zip(kept, urls, strict=True))
    for _ in range(count):
        at, [pending, *_] = _ask(*application, "/", "")
        at, _ = _ask(*pool, at, at_pool)
        at, cookies = _ask(*application, at, pending)
        session = [cookie for cookie in cookies if cookie.startswith(SESSION_COOKIE)]
        if not session:
            raise SystemExit(f"{proxy.name}: a login ended without a session, at {at}")
        yield session[0]
    for connection in kept:
        connection.close()


def _ask(connection, authority, target, cookie):
    """Follows one redirect: answers where it leads to, without scheme and host, and the cookies that were set."""
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n"
                       f"Sec-Fetch-Dest: document\r\nCookie: {cookie}\r\n\r\n".encode())
    head, found, body = b"", b"", b""
    while not found:
        piece = connection.recv(65536)
        if not piece:
            raise SystemExit(f"{authority} closed the connection")
        head, found, body = (head + piece).partition(b"\r\n\r\n")
    text = head.decode()
    length = re.search(r"^content-length: (\d+)", text, re.M | re.I)
    while length and len(body) < int(length.group(1)):
        body += connection.recv(65536)
    location = re.search(r"^location: (?:https://[^/]+)?(\S+)", text, re.M | re.I)
    if not location:
        raise SystemExit(f"{authority} did not redirect: {text[:500]}")
    return location.group(1), re.findall(r"^set-cookie: ([^;]+)", text, re.M | re.I)
