"""Memory: at rest after a start, and of idle TLS connections.

Every figure is from a fresh start, and of a proxy's processes together: see `harness.process.Memory`. What the kernel keeps for
sockets is in none of them.
"""

import time

from comparison import cast as who
from harness import idle
from harness.load import HTTP1, HTTP2

CONNECTIONS, CONNECTIONS_QUICK = 10_000, 1_000
SETTLE_SECONDS = 2


def run(cast, arguments):
    """Answers {connections, rest: {contender: {resident_kib, own_kib}}, idle: {request | http2 | handshake:
    {contender: {kib_per_connection, resident_kib, own_kib} or {failed: why}}}}.

    `request` is after one over HTTP/1.1, `http2` after one over HTTP/2, `handshake` before the first over HTTP/1.1.
    """
    count = CONNECTIONS_QUICK if arguments.quick else CONNECTIONS
    everyone = cast.pick(who.NGINX, who.HAPROXY, who.VESTIBULE, who.ENVOY, who.APACHE)
    found = {"connections": count, "rest": {}, "idle": {"request": {}, "http2": {}, "handshake": {}}}
    for contender in everyone:
        restart(contender.process)
        found["rest"][contender.name] = as_dictionary(contender.process.memory())
    for kind in found["idle"]:  # the figures of the bars first
        for contender in everyone:
            try:
                found["idle"][kind][contender.name] = hold(cast, contender, count, kind)
            except SystemExit as error:
                found["idle"][kind][contender.name] = {"failed": str(error)}
    if who.APACHE in cast.contenders:
        cast.sign_in_again(who.APACHE)
    return found


def hold(cast, contender, count, kind):
    process, request, protocol = contender.process, None, HTTP2 if kind == "http2" else HTTP1
    restart(process)
    if kind != "handshake":
        # Apache's sessions ended with its restart.
        cookie = cast.sign_in_again(contender.name) if contender.name == who.APACHE else contender.cookie
        request = idle.request_of(protocol, process.port, cookie)
    before, files = process.memory(), process.open_files()
    with idle.Idle(process.port, count, request, body_bytes=1024, protocol=protocol):
        time.sleep(SETTLE_SECONDS)
        after, opened = process.memory(), process.open_files() - files
    if opened < count:
        raise SystemExit(f"{opened} of {count} connections were open")
    return {"kib_per_connection": (after.own - before.own) / count, **as_dictionary(after)}


def restart(process):
    process.stop()
    process.start()
    process.wait_until_it_listens()
    time.sleep(1)


def as_dictionary(memory):
    return {"resident_kib": memory.resident, "own_kib": memory.own}
