"""Writes its part of docs/PERFORMANCE.md, the picture there, and what the console shows."""

import os
import statistics

from harness import page, stats
from scaling import picture
from scaling.dimensions import BAR_FROM, BAR_RATIO, BAR_TO, DIMENSIONS

VALUES = os.path.join(page.DIRECTORY, "growth.json")
PICTURE = "growth.svg"
BEGIN, END = "<!-- growth: begin (benches/growth writes from here) -->", "<!-- growth: end -->"
HEAD = ("CPU µs per request", "÷ smallest", "requests/s", "to the target, new per request", "session known", "memory, MiB")


def write():
    """From what is stored."""
    results = page.stored(VALUES)
    page.draw(PICTURE, picture.growth(results["dimensions"]))
    page.replace(BEGIN, END, measured(results))


def measured(results):
    dimensions = results["dimensions"]
    ratio = bar(dimensions)
    parts = [bar_sentence(ratio) + "\n" if ratio is not None else "", page.about(results["machine"], results["settings"]),
             f"![Lines of CPU time per request against the number of rules, target groups, targets, sessions and connections]"
             f"(performance/{PICTURE})\n"]
    for key, found in dimensions.items():
        dimension = DIMENSIONS[key]
        parts += [f"### {dimension.what}\n\n{dimension.text}\n", page.table([dimension.what, *HEAD], rows(found))]
    parts += [f"### {DIMENSIONS[key].what}\n\nThis failed: {why}\n" for key, why in results["failed"].items()]
    return "\n".join(parts)


def rows(found):
    """A row of cells for each size."""
    first = column(found["rounds"][found["sizes"][0]["name"]], "cpu_us")
    answer = []
    for size in found["sizes"]:
        one = found["rounds"][size["name"]]
        low, middle, high = stats.spread(column(one, "cpu_us"))
        rate, connections, cached, own = (statistics.median(column(one, key)) for key in ("rate", "connections", "cached", "own_mib"))
        answer.append([size["name"], f"{middle:.1f} ({low:.1f}–{high:.1f})", f"{stats.ratio(column(one, 'cpu_us'), first):.2f}",
                       f"{rate:,.0f}", f"{connections:.1%}", f"{cached:.1%}", f"{own:.1f}"])
    return answer


def column(rounds, key):
    return [one[key] for one in rounds]


def console(found):
    """The same as text."""
    lines = [["", *HEAD], *rows(found)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))])
                     for line in lines)


def bar(dimensions):
    """What 1,000 rules cost over what 10 cost, or None where rules were not measured."""
    if "rules" not in dimensions:
        return None
    rounds = dimensions["rules"]["rounds"]
    return stats.ratio(column(rounds[BAR_TO], "cpu_us"), column(rounds[BAR_FROM], "cpu_us"))


def bar_sentence(ratio):
    holds = "holds" if ratio <= BAR_RATIO else "does **not** hold"
    return f"A request costs {ratio:.2f} times as much with {BAR_TO} host and path rules as with {BAR_FROM}; the bar of {BAR_RATIO:g} {holds}."
