"""Writes its part of docs/PERFORMANCE.md, the pictures there, and the values of all rounds."""

import os

from comparison import plots, tables
from comparison.cast import LABELS
from harness import page

VALUES = os.path.join(page.DIRECTORY, "compare.json")
BEGIN, END = "<!-- measured: begin (benches/compare writes from here) -->", "<!-- measured: end -->"

# Job, heading, what is said of it, and how its table is made.
SECTIONS = (
    ("requests", "Requests of 1 KiB",
     "64 connections, each waiting for its answer. Median of the rounds, with the lowest and the highest.", tables.requests),
    ("cookies", "Larger sessions",
     "The session sealed into one, two and four cookies; everybody is sent the same.", tables.cookies),
    ("bodies", "Bodies of 1 MiB", "8 connections.", tables.requests),
    ("latency", "Latency at a fixed rate",
     "Open loop: `oha -q … --latency-correction`, 64 connections; a request's time counts from when it was due, and the first "
     "second is left out. The rates are parts of the most that nginx answers to the same generator.", tables.latency),
    ("handshakes", "TLS handshakes",
     "TLS 1.3, X25519, ECDSA P-256, one connection after the other from four processes, no request. “Per second of CPU” is "
     "what one core would do; what was reached shares two cores with the clients.", tables.handshakes),
    ("memory", "Memory",
     "From a fresh start. RSS is the sum over a proxy's processes. Idle connections: TLS 1.3, kept alive.", tables.memory),
    ("logins", "Logins through the embedded issuer",
     "From the first request without a session to the application's answer, by four browsers over connections that are kept.",
     tables.logins),
    ("unseen", "The first request of a session", "HTTP/1.1, 64 connections.", tables.sessions),
    ("startup", "Start", "Until the target's answer came over TLS; a session from before the start.", tables.startup),
)
PICTURES = {
    "requests": ("cpu_per_request.svg", plots.cpu_per_request, "Bars of CPU time per request, by proxy"),
    "latency": ("latency.svg", plots.latency, "Lines of p50 and p99 latency against load, by proxy"),
}


def store(results, path=VALUES):
    """`results` is {machine, settings, absent, failed, jobs}."""
    page.store(results, path)


def replace(results):
    """Puts the jobs of a later run in the place of those that are stored."""
    found = page.stored(VALUES)
    for job, values in results["jobs"].items():
        found["jobs"][job] = values
        found["failed"].pop(job, None)
        settings = results["settings"]
        how = f"{results['machine']['taken']}, {settings['rounds']} rounds of {settings['seconds']} s"
        found.setdefault("again", {})[job] = how
    page.store(found, VALUES)


def write():
    """From what is stored."""
    results = page.stored(VALUES)
    for job, (name, draw, _) in PICTURES.items():
        if job in results["jobs"]:
            page.draw(name, draw(results["jobs"][job]))
    page.replace(BEGIN, END, measured(results))


def measured(results):
    jobs, settings = results["jobs"], results["settings"]
    parts = [tables.bars_table(jobs), page.about(results["machine"], settings)]
    parts += [f"Not compared: {LABELS[name]}: {why}\n" for name, why in results["absent"].items()]
    for job, heading, text, make in SECTIONS:
        parts.append(f"### {heading}\n\n{text}\n")
        if job not in jobs:
            why = results["failed"].get(job)
            parts.append(f"This failed: {why}\n" if why else "Not measured in this run.\n")
            continue
        if job in results.get("again", {}):
            parts.append(f"Measured again, by itself: {results['again'][job]}.\n")
        if job in PICTURES:
            name, _, alternative = PICTURES[job]
            parts.append(f"![{alternative}](performance/{name})\n")
        parts.append(make(jobs[job]))
    return "\n".join(parts)
