"""Writes docs/PERFORMANCE.md (between its two markers only), its pictures, and the values of all rounds."""

import json
import os

from comparison import plots, tables
from comparison.cast import LABELS
from harness.bench import ROOT

PAGE = os.path.join(ROOT, "docs", "PERFORMANCE.md")
DIRECTORY = os.path.join(ROOT, "docs", "performance")
VALUES = os.path.join(DIRECTORY, "compare.json")
BUSY_ABOVE = 0.5  # of the load average for each core
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
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rounded(results), file, indent=1)
        file.write("\n")


def rounded(value):
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def write():
    """From what is stored."""
    with open(VALUES, encoding="utf-8") as file:
        results = json.load(file)
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{PAGE} does not have both markers")
    for job, (name, draw, _) in PICTURES.items():
        if job in results["jobs"]:
            with open(os.path.join(DIRECTORY, name), "w", encoding="utf-8") as file:
                file.write(draw(results["jobs"][job]))
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{measured(results)}\n{END}{after}")


def measured(results):
    jobs, settings = results["jobs"], results["settings"]
    parts = [tables.bars_table(jobs), about(results["machine"], settings)]
    parts += [f"Not compared: {LABELS[name]}: {why}\n" for name, why in results["absent"].items()]
    for job, heading, text, make in SECTIONS:
        parts.append(f"### {heading}\n\n{text}\n")
        if job not in jobs:
            why = results["failed"].get(job)
            parts.append(f"This failed: {why}\n" if why else "Not measured in this run.\n")
            continue
        if job in PICTURES:
            name, _, alternative = PICTURES[job]
            parts.append(f"![{alternative}](performance/{name})\n")
        parts.append(make(jobs[job]))
    return "\n".join(parts)


def about(machine, settings):
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    # The run itself has not begun then: what the machine is busy with is something else.
    busy = machine["load_average"] > BUSY_ABOVE * machine["cores"]
    warning = "**The machine was busy with other things: take these figures as a first look only.**\n\n" if busy else ""
    return (f"{warning}Taken {machine['taken']} in {settings['minutes']:.0f} minutes: {settings['rounds']} rounds of {settings['seconds']} s, "
            f"{settings['workers']} workers for each proxy, on {machine['cores']} cores ({machine['processor']}), "
            f"{machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']}; load average at the start "
            f"{machine['load_average']}.\nVersions: {versions}.\n")
