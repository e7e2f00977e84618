"""The tables of docs/PERFORMANCE.md, in Markdown."""

import statistics

from comparison import bars, unseen
from comparison.cast import HAPROXY, LABELS, NGINX, VESTIBULE
from comparison.latency import keeps_up
from harness import stats
from harness.load import NAMES
from harness.page import table


def bars_table(jobs):
    rows = []
    for bar in bars.of(jobs):
        value = "–" if bar.value is None else f"{bar.value:.2f}" if not bar.unit else f"{bar.value:.1f}{bar.unit}"
        rows.append([bar.what, value, f"≤ {bar.limit:g}{bar.unit}", bar.verdict])
    return table(["Measured, lower is better", "Vestibule", "Bar", "Holds"], rows)


def median(found, key):
    return statistics.median(one[key] for one in found)


def cost(found):
    """Median with lowest and highest."""
    low, middle, high = stats.spread([one["cpu_us"] for one in found])
    return f"{middle:.1f} ({low:.1f}–{high:.1f})"


def ratio(rounds, name, key="cpu_us"):
    return f"{stats.ratio([one[key] for one in rounds[name]], [one[key] for one in rounds[NGINX]]):.2f}"


def requests(by_protocol):
    """CPU and rate, the protocols beside each other."""
    head, names = [""], list(dict.fromkeys(name for rounds in by_protocol.values() for name in rounds))
    for protocol in by_protocol:
        head += [f"{NAMES[protocol]}: CPU µs", "÷ nginx", "requests/s"]
    rows = []
    for name in names:
        row = [LABELS[name]]
        for rounds in by_protocol.values():
            row += [cost(rounds[name]), ratio(rounds, name), f"{median(rounds[name], 'rate'):.0f}"]
        rows.append(row)
    return table(head, rows)


def cookies(by_protocol):
    rows = []
    for protocol, by_shards in by_protocol.items():
        for shards, one in by_shards.items():
            rounds = one["rounds"]
            row = [f"{NAMES[protocol]}, {shards} × cookie, {one['cookie_bytes']} bytes"]
            row += [f"{median(rounds[name], 'cpu_us'):.1f}" if name in rounds else "–" for name in (NGINX, HAPROXY, VESTIBULE)]
            rows.append([*row, ratio(rounds, VESTIBULE)])
    return table(["CPU µs per request", "nginx", "HAProxy", "Vestibule", "Vestibule ÷ nginx"], rows)


def latency(by_protocol):
    found = []
    for protocol, one in by_protocol.items():
        head, rows = [f"{NAMES[protocol]}: p50 / p99, ms"], {}
        for fraction, rounds in one["fractions"].items():
            head += [f"{float(fraction):.0%}: {float(fraction) * one['saturation']:.0f}/s", "p99 ÷ nginx"]
            for name in LABELS:
                if name in rounds:
                    rows.setdefault(name, []).extend(latency_cells(rounds, name))
                elif name in rows:
                    rows[name] += ["not tried", ""]
        found.append(table(head, [[LABELS[name], *cells] for name, cells in rows.items()]))
    return "\n".join(found)


def latency_cells(rounds, name):
    rate = median(rounds[name], "rate")
    if not keeps_up(rounds[name]):
        return [f"cannot: {rate:.0f}/s", ""]
    return [f"{median(rounds[name], 'p50_ms'):.2f} / {median(rounds[name], 'p99_ms'):.2f}", ratio(rounds, name, "p99_ms")]


def handshakes(found):
    rows = [
        [LABELS[name], *(cell for kind in ("full", "resumed") for cell in (
            cost(found[kind][name]), ratio(found[kind], name), f"{1e6 / median(found[kind][name], 'cpu_us'):.0f}",
            f"{median(found[kind][name], 'rate'):.0f}"))]
        for name in found["full"]
    ]
    return table(["", "Full: CPU µs", "÷ nginx", "per second of CPU", "reached/s",
                  "Resumed: CPU µs", "÷ nginx", "per second of CPU", "reached/s"], rows)


def memory(found):
    def idle(name, kind):
        one = found["idle"].get(kind, {}).get(name)
        if one is None:
            return "not measured"
        return "no: see below" if "failed" in one else f"{one['kib_per_connection']:.1f}"

    rows = [
        [LABELS[name], f"{rest['resident_kib'] * 1024 / 1e6:.1f}", f"{rest['own_kib'] * 1024 / 1e6:.1f}",
         idle(name, "request"), idle(name, "http2"), idle(name, "handshake")]
        for name, rest in found["rest"].items()
    ]
    failures = [
        f"- {LABELS[name]} could not hold {found['connections']} connections {when}: {one['failed']}"
        for kind, when in (("request", "after a request"), ("http2", "after a request over HTTP/2"),
                           ("handshake", "that made no request"))
        for name, one in found["idle"].get(kind, {}).items() if "failed" in one
    ]
    head = ["", "At rest: RSS, MB", "of it no file's, MB", f"KiB for each of {found['connections']} idle connections, HTTP/1.1",
            "the same, HTTP/2", "HTTP/1.1, before their first request"]
    return table(head, rows) + ("\n" + "\n".join(failures) + "\n" if failures else "")


def logins(found):
    names = {"password": "with the password hashed (Argon2id, 19 MiB, 2 passes)", "single_sign_on": "still signed in at the pool: no hashing"}
    rows = [[names[kind], f"{median(rounds, 'cpu_ms'):.2f}", f"{1e3 / median(rounds, 'cpu_ms'):.0f}", f"{median(rounds, 'rate'):.0f}"]
            for kind, rounds in found.items()]
    return table(["A login", "CPU ms", "per second of CPU", "reached/s"], rows)


def sessions(found):
    rows = [
        ["known to the worker", cost(found["known"]), f"{median(found['known'], 'cached_share'):.1%}"],
        [f"one of {found['sessions']} in turn", cost(found["unseen"]), f"{median(found['unseen'], 'cached_share'):.1%}"],
    ]
    extra = statistics.median(unseen.extra_us(found))
    return table(["The request's session is", "CPU µs per request", "found among the opened"], rows) + (
        f"\nOpening a session that the worker does not know costs {extra:.1f} µs.\n")


def startup(found):
    rows = [[LABELS[name], f"{statistics.median(values):.1f}", f"{min(values):.1f}–{max(values):.1f}"] for name, values in found.items()]
    return table(["From start to first answer, ms", "median", "lowest–highest"], rows)
