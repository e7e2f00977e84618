"""A new process takes the place of the running one, again and again (`serve --takeover`).

The client of HTTP/2 is our own, because h2load does not come back after a GOAWAY (`load.py`). A request that the old process says it has
not processed is asked again, as browsers do (RFC 9113 §6.8), and is not lost.
"""

import os
import time

from harness import vestibule
from harness.process import START_DEADLINE_SECONDS
from interruptions import load
from interruptions.outcome import Outcome

OLD_DEADLINE_SECONDS = 60  # to end after another has taken over; more than its `drain_timeout`
TAKEN_OVER = "this process has taken over"


def run(here, count, seconds):
    settings = here.vestibule_configuration(here.start_backend().port)
    old = here.start(process(here, settings, 0))
    cookie = here.sign_in(old)
    http1, http2 = load.Wrk(here, old, cookie), load.Http2Client(here, old, cookie)
    faults, took = [], []
    for number in range(1, count + 1):
        time.sleep(seconds / count)
        new, begin = process(here, settings, number), time.monotonic()
        here.running.append(new.start())
        wait_until_it_has_taken_over(new, old)
        code = old.wait(OLD_DEADLINE_SECONDS)
        took.append(time.monotonic() - begin)
        if code != 0:
            faults.append("an old process did not end" if code is None else f"an old process ended with {code}")
            print(old.log())
        here.stop(old)
        old = new
    time.sleep(seconds / count)
    http1.stop()
    http2.stop()
    took.sort()
    print(f"{count} processes took over one after the other; from the start of the new to the end of the old process "
          f"{took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s at most")
    print(f"answered: {http1.answered} over HTTP/1.1, {http2.answered} over HTTP/2{http2.reasons()}; over HTTP/2 "
          f"{http2.said['connections']} connections, {http2.said['goaways']} ended by GOAWAY, "
          f"{http2.said['sent_again']} requests sent again because they were not processed")
    if not (http1.answered and http2.answered):
        faults.append("there was no load")
    if http2.said["goaways"] < count:
        faults.append("the old processes did not end the connections of HTTP/2")
    return Outcome({"requests over HTTP/1.1": http1.lost, "requests over HTTP/2": http2.lost}, faults)


def wait_until_it_has_taken_over(new, old):
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while TAKEN_OVER not in new.log():
        if new.child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the new process has not taken over:\n{new.log()}\nThe old one:\n{old.log()}")
        time.sleep(0.02)


def process(here, settings, number):
    """One process of the row, not started: all have the same command line."""
    found = vestibule.process(here.directory, here.binary, settings)
    found.command += ["--takeover", os.path.join(here.directory, "takeover", "socket")]
    found.log_path = os.path.join(here.directory, f"vestibule-{number}.log")
    return found
