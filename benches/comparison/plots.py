"""The pictures of docs/PERFORMANCE.md."""

import math
import statistics

from comparison.cast import APACHE, ENVOY, ENVOY_CACHE, HAPROXY, LABELS, NGINX, NGINX_BARE, VESTIBULE
from comparison.latency import keeps_up
from harness.load import NAMES
from harness.picture import FAINT, INK, LINES, VESTIBULE_COLOUR, WIDTH, Picture

COLOURS = {VESTIBULE: VESTIBULE_COLOUR, NGINX: "#4a5262", NGINX_BARE: "#9aa3b2", HAPROXY: "#c26d00", ENVOY: "#9b2f8a",
           ENVOY_CACHE: "#c98bbf", APACHE: "#c0332b"}
SHORT = {VESTIBULE: "Vestibule", NGINX: "nginx", HAPROXY: "HAProxy", ENVOY: "Envoy", APACHE: "Apache"}
TICKS = [step * 10.0**power for power in range(-3, 6) for step in (1, 2, 5)]


def cpu_per_request(by_protocol):
    """Bars: the median, and a thin line from the lowest round to the highest."""
    picture = Picture("CPU per request", "Microseconds of CPU time for each request with a body of 1 KiB, by proxy.")
    most = max(one["cpu_us"] for rounds in by_protocol.values() for found in rounds.values() for one in found)
    left, right = 20, WIDTH - 90
    for protocol, rounds in by_protocol.items():
        picture.heading(f"CPU per request, {NAMES[protocol]}", "µs of CPU, 1 KiB body; shorter is better")
        for name, found in rounds.items():
            costs = [one["cpu_us"] for one in found]
            length = (right - left) / most
            middle, low, high = (value * length for value in (statistics.median(costs), min(costs), max(costs)))
            picture.y += 21
            weight = "600" if name == VESTIBULE else "normal"
            picture.text(left, picture.y, LABELS[name], weight=weight)
            picture.y += 7
            picture.parts.append(f'<rect x="{left}" y="{picture.y}" width="{middle:.1f}" height="18" rx="3" fill="{COLOURS[name]}"/>')
            picture.line([(left + low, picture.y + 9), (left + high, picture.y + 9)], INK, width=1.5)
            picture.text(left + max(middle, high) + 8, picture.y + 15, f"{statistics.median(costs):.1f}", weight=weight)
            picture.y += 22
        picture.y += 16
    return picture.svg()


def latency(by_protocol):
    """A panel for each protocol: p99 (whole line) and p50 (dashed) against load, milliseconds on a logarithmic axis."""
    picture = Picture("Latency against load", "p50 and p99 in milliseconds at 25, 50 and 75 percent of the most that nginx answers.")
    for protocol, one in by_protocol.items():
        picture.heading(f"Latency, {NAMES[protocol]}", "ms; line: p99, dashed: p50; lower is better")
        series = {name: curve(one["fractions"], name) for name in SHORT}
        legend(picture, [name for name, points in series.items() if points])
        panel(picture, {name: points for name, points in series.items() if points}, one)
        if behind := [SHORT[name] for name in SHORT if fell_behind(one["fractions"], name)]:
            picture.y += 18
            picture.text(20, picture.y, f"Fell behind: {', '.join(behind)}", size=15, fill=FAINT)
        picture.y += 18
    return picture.svg()


def curve(fractions, name):
    """(fraction, p50, p99) of every rate that it kept up with."""
    return [
        (float(fraction), *(statistics.median(one[key] for one in rounds[name]) for key in ("p50_ms", "p99_ms")))
        for fraction, rounds in fractions.items()
        if name in rounds and keeps_up(rounds[name])
    ]


def fell_behind(fractions, name):
    """It was asked, and did not keep up with every rate."""
    return any(name in rounds for rounds in fractions.values()) and len(curve(fractions, name)) < len(fractions)


def legend(picture, names):
    x, picture.y = 20, picture.y + 16
    for name in names:
        picture.parts.append(f'<rect x="{x}" y="{picture.y - 11}" width="14" height="14" rx="3" fill="{COLOURS[name]}"/>')
        picture.text(x + 20, picture.y + 2, SHORT[name], size=16, weight="600" if name == VESTIBULE else "normal")
        x += 38 + 9.2 * len(SHORT[name])
    picture.y += 14


def panel(picture, series, one):
    left, right, height, top = 62, WIDTH - 30, 230, picture.y + 6
    values = [value for points in series.values() for point in points for value in point[1:]]
    low = max(tick for tick in TICKS if tick <= min(values))
    high = min(tick for tick in TICKS if tick >= max(values))
    shown = [tick for tick in TICKS if low <= tick <= high]
    fractions = [float(fraction) for fraction in one["fractions"]]

    def x_of(fraction):
        return left + 30 + (right - left - 60) * (fraction - fractions[0]) / (fractions[-1] - fractions[0])

    def y_of(value):
        return top + height * math.log(high / value) / math.log(high / low)

    for tick in shown:
        picture.line([(left, y_of(tick)), (right, y_of(tick))], LINES)
        if len(shown) <= 9 or math.log10(tick).is_integer():
            picture.text(left - 8, y_of(tick) + 5, f"{tick:g}", size=15, fill=FAINT, anchor="end")
    for fraction in fractions:
        picture.text(x_of(fraction), top + height + 22, f"{fraction:.0%}", size=15, fill=FAINT, anchor="middle")
        picture.text(x_of(fraction), top + height + 41, f"{fraction * one['saturation']:,.0f}/s", size=15, fill=FAINT, anchor="middle")
    # Vestibule last, on top.
    for name in sorted(series, key=lambda name: name == VESTIBULE):
        for index, dash in ((1, "5 5"), (2, "")):
            points = [(x_of(point[0]), y_of(point[index])) for point in series[name]]
            picture.line(points, COLOURS[name], width=3 if name == VESTIBULE else 2, dash=dash)
            picture.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[name]}"/>' for x, y in points]
    picture.text((left + right) / 2, top + height + 63, "of the most that nginx answers", size=15, fill=FAINT, anchor="middle")
    picture.y = top + height + 68
