"""What is printed while a run goes on."""

import json
import statistics

from comparison import bars as all_bars
from comparison.cast import LABELS, NGINX
from harness import stats
from harness.load import NAMES


def progress(text):
    print(text, flush=True)


def requests(title, rounds):
    """A table of CPU and rate, and the ratio to nginx in the same round."""
    progress(f"\n{title}\n{'':38} {'CPU µs/request':>15} {'(lowest–highest)':>18} {'÷ nginx':>8} {'requests/s':>11}")
    for name, found in rounds.items():
        costs = [one["cpu_us"] for one in found]
        low, middle, high = stats.spread(costs)
        against = f"{stats.ratio(costs, [one['cpu_us'] for one in rounds[NGINX]]):8.2f}" if NGINX in rounds else f"{'':8}"
        rate = statistics.median(one["rate"] for one in found)
        progress(f"{LABELS[name]:38} {middle:15.1f} {f'({low:.1f}–{high:.1f})':>18} {against} {rate:11.0f}")


def show(job, found):
    """Prints what a job found."""
    if job in ("requests", "bodies"):
        for protocol, rounds in found.items():
            requests(f"{job}, {NAMES[protocol]}", rounds)
    elif job == "cookies":
        for protocol, by_shards in found.items():
            for shards, one in by_shards.items():
                requests(f"{job}, {NAMES[protocol]}, {shards} shards, {one['cookie_bytes']} bytes", one["rounds"])
    elif job == "handshakes":
        for kind in ("full", "resumed"):
            requests(f"handshakes, {kind}", found[kind])
    elif job == "latency":
        for protocol, one in found.items():
            for fraction, rounds in one["fractions"].items():
                latency(f"latency, {NAMES[protocol]}, {float(fraction):.0%} of {one['saturation']:.0f}/s", rounds)
    elif job == "startup":
        for name, values in found.items():
            progress(f"{LABELS[name]:38} {statistics.median(values):8.1f} ms ({min(values):.1f}–{max(values):.1f})")
    else:
        progress(json.dumps(found, indent=2))


def latency(title, rounds):
    progress(f"\n{title}\n{'':38} {'p50 ms':>10} {'p99 ms':>10} {'÷ nginx':>8} {'achieved/s':>11}")
    for name, found in rounds.items():
        p50, p99, rate = (statistics.median(one[key] for one in found) for key in ("p50_ms", "p99_ms", "rate"))
        against = stats.ratio([one["p99_ms"] for one in found], [one["p99_ms"] for one in rounds[NGINX]]) if NGINX in rounds else 0
        progress(f"{LABELS[name]:38} {p50:10.2f} {p99:10.2f} {against:8.2f} {rate:11.0f}")


def bars(jobs):
    """Those that were measured."""
    progress("")
    for bar in all_bars.of(jobs):
        if bar.value is not None:
            progress(f"{bar.what:72} {bar.value:8.2f} {'≤' if bar.value <= bar.limit else '>'} {bar.limit:g}{bar.unit}")
