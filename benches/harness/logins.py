"""Many logins through Vestibule's own user pool, by several browsers at once."""

import multiprocessing
import time

from harness.browser import Failed, cookie_header
from harness.load import Done

CLIENTS = 4


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
