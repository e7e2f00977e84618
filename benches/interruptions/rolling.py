"""Three targets with health checks are stopped by SIGTERM and started again in turn, under load.

The requests are idempotent and have no body. The rounds:

    patient   a target is away until its checks have failed, and the next one is stopped when it is healthy again
    short     a target is away for a second, too short for the checks, and the next one is stopped at once
    hasty     a target is away until its checks have failed, and the next one is stopped when it accepts connections again, before its
              checks have found it healthy
"""

import json
import time
import urllib.request

from harness.process import LOOPBACK
from interruptions import load
from interruptions.outcome import Outcome

ROUNDS, ROUNDS_QUICK = ("patient", "short", "hasty"), ("short",)
TARGETS = 3
HEALTH_CHECK = {"path": "/status", "interval": "5s", "timeout": "2s", "healthy_threshold": 2, "unhealthy_threshold": 2}
STATE_DEADLINE_SECONDS = 60
SHORT_SECONDS = 1
LEAD_SECONDS = 1  # of load before the first stop of a round, and after its last start
REFUSALS_MAX = 10


def run(here, rounds):
    targets = [here.start_backend(name=f"target-{index}") for index in range(TARGETS)]
    settings = here.vestibule_configuration(targets[0].port)
    group = settings["target_groups"]["app"]
    group["targets"] = [f"{LOOPBACK}:{target.port}" for target in targets]
    group["health_check"] = HEALTH_CHECK
    proxy = here.start_vestibule(settings)
    cookie = here.sign_in(proxy)
    asked = []
    for name in rounds:
        for target in targets:
            wait_for_state(proxy, target, "healthy")
        asked.append(loaded(here, proxy, cookie, name, targets))
    print(f"sent again to targets: {proxy.metric('vestibule_upstream_retries_total')}; "
          f"not sent again for the budget: {proxy.metric('vestibule_upstream_retries_refused_total')}")
    lost = {f"requests over {protocol}": sum(clients[at].lost for clients in asked) for at, protocol in enumerate(("HTTP/1.1", "HTTP/2"))}
    if any(lost.values()):
        print("\n".join(refusals(settings["access_log"]["destination"])))
    return Outcome(lost, [] if all(client.answered for clients in asked for client in clients) else ["there was no load"])


def refusals(path):
    """Lines of the access log that say why a request was not answered."""
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if "upstream." in line][:REFUSALS_MAX]


def loaded(here, proxy, cookie, name, targets):
    """One round under load. Answers the clients, of HTTP/1.1 and HTTP/2."""
    http1, http2, begin = load.Wrk(here, proxy, cookie), load.Http2Client(here, proxy, cookie), time.monotonic()
    time.sleep(LEAD_SECONDS)
    for target in targets:
        restart(proxy, name, target)
    time.sleep(LEAD_SECONDS)
    took = time.monotonic() - begin
    http1.stop()
    http2.stop()
    print(f"{name}: {TARGETS} targets restarted in {took:.0f} s; answered {http1.answered} over HTTP/1.1, the slowest in {http1.longest}, "
          f"and {http2.answered} over HTTP/2; lost {http1.lost} and {http2.lost}{http2.reasons()}", flush=True)
    return http1, http2


def restart(proxy, name, target):
    target.stop()
    if name == "short":
        time.sleep(SHORT_SECONDS)
    else:
        wait_for_state(proxy, target, "unhealthy")
    target.start().wait_until_it_listens()
    if name == "patient":
        wait_for_state(proxy, target, "healthy")


def wait_for_state(proxy, target, expected):
    deadline = time.monotonic() + STATE_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{proxy.admin_port}/targets", timeout=30) as answer:
            states = {line["target"]: line["state"] for line in json.load(answer)["targets"]}
        if states[f"{LOOPBACK}:{target.port}"] == expected:
            return
        time.sleep(0.1)
    raise SystemExit(f"a target was not {expected} in {STATE_DEADLINE_SECONDS} s: {states}\n{proxy.log()}")
