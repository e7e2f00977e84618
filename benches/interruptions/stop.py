"""SIGTERM while downloads, uploads, WebSockets and gRPC streams are under way. All of them fit `shutdown.drain_timeout`.

A download is whole if its SHA-256 is right, an upload if the target has read the same SHA-256, a gRPC stream if each message has come in
its turn and the status is OK. A WebSocket has ended in order if every message was echoed until Vestibule's closing frame came (1001, "going
away"), and its stream or connection was ended after ours. The process must end by itself with 0.
"""

import dataclasses
import hashlib
import os
import random
import signal
import time
import urllib.request

from harness import tools
from harness.process import LOOPBACK, Process, free_port
from interruptions import transfers
from interruptions.outcome import Outcome
from interruptions.sockets import Socket

MIB = 1 << 20
UNDER_WAY_SECONDS = 0.5  # after the begin of all, before SIGTERM
BEGIN_DEADLINE_SECONDS = 30
TRANSFERS = {"HTTP/1.1": 2, "HTTP/2": 2}  # of each direction
SOCKETS = {"HTTP/1.1": 8, "HTTP/2": 8}
STREAMS, MESSAGE_PAUSE_SECONDS = 8, 0.1


@dataclasses.dataclass(frozen=True)
class Size:
    """`seconds` is how long each transfer and each stream takes at least, `drain_seconds` the time that they have."""

    mib: int
    seconds: int
    drain_seconds: int


FULL, QUICK = Size(1024, 25, 300), Size(48, 4, 30)


def run(here, size):
    rate = size.mib * MIB // size.seconds
    file, digest = large_file(here, size.mib)
    backend = here.start_backend(large_rate=rate)
    peer = start_peer(here)
    settings = configuration(here, backend, peer, size)
    proxy = here.start_vestibule(settings)
    cookie = here.sign_in(proxy)
    under_way = begin(here, proxy, cookie, size, (file, digest, rate), peer)
    over = [one for one in under_way if not one.is_under_way()]
    proxy.child.send_signal(signal.SIGTERM)
    told = time.monotonic()
    code = proxy.wait(size.drain_seconds + 10)
    took = time.monotonic() - told
    for one in under_way:
        one.finish()
    lost = {}
    for one in under_way:
        lost[one.what] = lost.get(one.what, 0) + len(one.wrong)
        for why in one.wrong:
            print(f"lost: {one.what}: {why}")
    print(f"SIGTERM with {transfers_said(size)}, {sum(SOCKETS.values())} WebSockets and {2 * STREAMS} gRPC streams under way: "
          f"the process ended after {took:.1f} s of {size.drain_seconds} s, with {code}")
    print(f"whole: {', '.join(f'{whole(under_way, what)} {what}' for what in lost)}; messages of WebSockets echoed: "
          f"{sum(one.echoed for one in under_way if isinstance(one, Socket))}")
    faults = [f"{what} were over before SIGTERM" for what in sorted({one.what for one in over})]
    if code != 0:
        faults.append(f"the process ended with {code}")
        print(proxy.log())
    return Outcome(lost, faults)


def transfers_said(size):
    count = sum(TRANSFERS.values())
    return f"{count} downloads and {count} uploads of {size.mib} MiB"


def whole(under_way, what):
    return sum(one.count - len(one.wrong) for one in under_way if one.what == what)


def begin(here, proxy, cookie, size, large, peer):
    """Starts everything, and answers it when everything is under way. The transfers come last, because they begin at once."""
    file, digest, rate = large
    messages = round((size.seconds + UNDER_WAY_SECONDS) / MESSAGE_PAUSE_SECONDS)
    found = [transfers.Calls(here, proxy, cookie, {"streams": STREAMS, "messages": messages, "pause": MESSAGE_PAUSE_SECONDS})]
    found.extend(Socket(here, proxy, cookie, protocol) for protocol, count in SOCKETS.items() for _ in range(count))
    wait_for_begin(found, proxy)
    for protocol, count in TRANSFERS.items():
        for _ in range(count):
            found.append(transfers.Download(here, proxy, cookie, protocol, digest))
            found.append(transfers.Upload(here, proxy, cookie, protocol, file, digest, rate))
    wait_for_begin(found, proxy, lambda: uploads_begun(peer) == sum(TRANSFERS.values()))
    time.sleep(UNDER_WAY_SECONDS)
    return found


def wait_for_begin(under_way, proxy, and_also=lambda: True):
    deadline = time.monotonic() + BEGIN_DEADLINE_SECONDS
    while not (all(one.has_begun.is_set() for one in under_way) and and_also()):
        if time.monotonic() > deadline:
            late = {one.what for one in under_way if not one.has_begun.is_set()} or "an upload"
            raise SystemExit(f"not begun in {BEGIN_DEADLINE_SECONDS} s: {late}\n{proxy.log()}")
        time.sleep(0.02)


def uploads_begun(peer):
    with urllib.request.urlopen(f"http://{LOOPBACK}:{peer.port}/uploads", timeout=30) as answer:
        return int(answer.read())


def large_file(here, mib):
    """A file of which each MiB is another, and its SHA-256."""
    path, block, digest = os.path.join(here.directory, "large"), random.Random(mib).randbytes(MIB - 8), hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(mib):
            for piece in (number.to_bytes(8, "big"), block):
                file.write(piece)
                digest.update(piece)
    return path, digest.hexdigest()


def start_peer(here):
    """`peer.py` as a server. Answers it; `grpc_port` is its second port."""
    port, grpc_port = free_port(), free_port()
    found = Process([tools.tool("grpcio"), "-B", transfers.PEER, "serve", str(port), str(grpc_port)], here.directory, "peer", port)
    found.grpc_port = grpc_port
    return here.start(found)


def configuration(here, backend, peer, size):
    settings = here.vestibule_configuration(backend.port)
    settings["shutdown"]["drain_timeout"] = f"{size.drain_seconds}s"
    settings["target_groups"]["peer"] = {"protocol": "http", "targets": [f"{LOOPBACK}:{peer.port}"]}
    settings["target_groups"]["grpc"] = {"protocol_version": "grpc", "targets": [f"{LOOPBACK}:{peer.grpc_port}"]}
    listener = settings["listeners"][0]
    authenticate = listener["default_actions"][0]
    for priority, (path, group) in enumerate({"/upload": "peer", "/socket": "peer", f"/{transfers.SERVICE}/*": "grpc"}.items(), 2):
        listener["rules"].append({
            "name": f"{group}-{priority}", "priority": priority, "conditions": [{"path_pattern": [path]}],
            "actions": [authenticate, {"type": "forward", "target_group": group}]})
    return settings
