"""Writes docs/PERFORMANCE.md, each bench between its own two markers only, with pictures and the values of all rounds beside it."""

import json
import os

from harness.bench import ROOT

PAGE = os.path.join(ROOT, "docs", "PERFORMANCE.md")
DIRECTORY = os.path.join(ROOT, "docs", "performance")
BUSY_ABOVE = 0.5  # of the load average for each core


def store(results, path):
    """Writes values as JSON, with four decimals."""
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


def stored(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def draw(name, svg):
    """Writes a picture."""
    with open(os.path.join(DIRECTORY, name), "w", encoding="utf-8") as file:
        file.write(svg)


def replace(begin, end, text):
    """Puts `text` between two lines of the page."""
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE} does not have both of {begin} and {end}")
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n\n{text}\n{end}{after}")


def table(head, rows):
    """Markdown. The first column is text, the others are numbers."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def about(machine, settings):
    """Where, when and how long, from `machine.describe` and {minutes, rounds, seconds, workers}."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    # The run itself has not begun then: what the machine is busy with is something else.
    busy = machine["load_average"] > BUSY_ABOVE * machine["cores"]
    warning = "**The machine was busy with other things: take these figures as a first look only.**\n\n" if busy else ""
    return (f"{warning}Taken {machine['taken']} in {settings['minutes']:.0f} minutes: {settings['rounds']} rounds of {settings['seconds']} s, "
            f"{settings['workers']} workers for each proxy, on {machine['cores']} cores ({machine['processor']}), "
            f"{machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']}; load average at the start "
            f"{machine['load_average']}.\nVersions: {versions}.\n")
