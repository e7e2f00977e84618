"""The configuration changes again and again: by turns another target, another rule, another certificate."""

import json
import os
import subprocess
import time

from harness import certificates
from harness.process import LOOPBACK
from interruptions import load
from interruptions.outcome import Outcome

LEAD_SECONDS = 1  # of load before the first reload, and after the last one
SETTLE_DEADLINE_SECONDS = 10


def run(here, count, seconds):
    targets = [here.start_backend(), here.start_backend(name="second")]
    settings = here.vestibule_configuration(targets[0].port)
    proxy = here.start_vestibule(settings)
    cookie = here.sign_in(proxy)
    path = proxy.command[-1]
    other = other_certificate(here)
    took, resident = [], proxy.memory().own
    http1, http2 = load.Wrk(here, proxy, cookie), load.H2load(here, proxy, cookie, seconds + 2 * LEAD_SECONDS)
    begin = time.monotonic()
    for turn in range(count):
        time.sleep(max(0, begin + LEAD_SECONDS + turn * seconds / count - time.monotonic()))
        change(settings, turn, targets, here.certificate, other)
        took.append(reload(here.binary, path, settings))
    http2.stop()
    http1.stop()
    left = left_over(proxy)
    refused = proxy.metric("vestibule_config_reloads_total", "result").get("failure", 0)
    took.sort()
    print(f"{count} reloads in {seconds:.0f} s; each took {took[len(took) // 2] * 1000:.0f} ms (median), "
          f"{took[-1] * 1000:.0f} ms at most, from the command to its end")
    print(f"memory {resident / 1024:.1f} MiB before, {proxy.memory().own / 1024:.1f} MiB after; earlier configurations left: {left}")
    print(f"a worker served nothing for at most {away_ms(proxy):g} ms each time")
    print(f"answered: {http1.answered} over HTTP/1.1, {http2.answered} over HTTP/2")
    faults = [f"{refused} reloads refused"] * bool(refused) + [f"{left} configurations left"] * bool(left)
    if not (http1.answered and http2.answered):
        faults.append("there was no load")
    return Outcome({"requests over HTTP/1.1": http1.lost, "requests over HTTP/2": http2.lost}, faults)


def other_certificate(here):
    directory = os.path.join(here.directory, "other")
    os.mkdir(directory)
    return certificates.make_certificate(directory)


def change(settings, turn, targets, one, other):
    """By turns another target, another rule, another certificate."""
    listener = settings["listeners"][0]
    if turn % 3 == 0:
        settings["target_groups"]["app"]["targets"] = [f"{LOOPBACK}:{targets[(turn // 3 + 1) % 2].port}"]
    elif turn % 3 == 1:
        listener["rules"][0]["actions"][0]["body"] = f"ok {turn}"
    else:
        used = other if turn // 3 % 2 == 0 else one
        listener["certificates"] = [{"certificate_file": used.chain, "private_key_file": used.key}]


def reload(binary, path, settings):
    """Replaces the file, and answers how long the command took, in seconds."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=2)
    os.rename(path + ".new", path)
    begin = time.monotonic()
    done = subprocess.run([binary, "reload", "--config", path], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the reload failed: {done.stderr}")
    return time.monotonic() - begin


def away_ms(proxy):
    """The smallest bound of the histogram that no change of a worker to another configuration exceeded, in milliseconds."""
    buckets = proxy.metric("vestibule_config_adoption_seconds_bucket", "le")
    return min(float(bound) for bound, count in buckets.items() if count == buckets["+Inf"]) * 1000


def left_over(proxy):
    """Earlier configurations that are still held some time after the last request."""
    deadline = time.monotonic() + SETTLE_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        left = proxy.metric("vestibule_config_generations") - 1
        if left == 0:
            return 0
        time.sleep(0.1)
    return left
