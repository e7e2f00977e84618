"""The picture of docs/PERFORMANCE.md for growth: a panel for each dimension."""

import math
import statistics

from harness import stats
from harness.picture import FAINT, GROUND, INK, LINES, VESTIBULE_COLOUR, WIDTH, Picture
from scaling.dimensions import DIMENSIONS

ASIDE_COLOUR = "#c26d00"
LEFT, RIGHT, HEIGHT = 62, WIDTH - 44, 150
STEPS = (1, 2, 2.5, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)


def growth(dimensions):
    """Median CPU microseconds from zero, with a thin line from the lowest round to the highest; one scale for all panels."""
    picture = Picture("CPU per request, as things grow",
                      "Microseconds of CPU time of Vestibule for each request of a signed-in user, against the number of rules, target "
                      "groups, targets, sessions and connections.")
    most = max(one["cpu_us"] for found in dimensions.values() for rounds in found["rounds"].values() for one in rounds)
    step = next((step for step in STEPS if step * 5 >= most), STEPS[-1])
    picture.heading("CPU per request, as things grow", "µs of CPU from zero, 1 KiB body; flat is better")
    for key, found in dimensions.items():
        picture.y += 36
        picture.text(20, picture.y, DIMENSIONS[key].what, weight="600")
        picture.y += 14
        panel(picture, found, step, math.ceil(most / step) * step)
    return picture.svg()


def panel(picture, found, step, top_value):
    top, sizes, largest = picture.y, found["sizes"], max(size["size"] for size in found["sizes"])

    def x_of(size):
        return LEFT + 30 + (RIGHT - LEFT - 60) * math.log(size) / math.log(largest)

    def y_of(value):
        return top + HEIGHT * (1 - value / top_value)

    for number in range(round(top_value / step) + 1):
        picture.line([(LEFT, y_of(number * step)), (RIGHT, y_of(number * step))], LINES if number else FAINT)
        picture.text(LEFT - 8, y_of(number * step) + 5, f"{number * step:g}", size=15, fill=FAINT, anchor="end")
    aside = [size for size in sizes if size["aside"]]
    on_line = [size for size in sizes if not size["aside"]]
    picture.line([(x_of(size["size"]), y_of(median(found, size))) for size in on_line], VESTIBULE_COLOUR, width=3)
    for size in on_line:
        mark(picture, found, size, x_of(size["size"]), y_of, VESTIBULE_COLOUR, VESTIBULE_COLOUR)
        picture.text(x_of(size["size"]), y_of(highest(found, size)) - 8, f"{median(found, size):.0f}", size=15, anchor="middle")
    for size in aside:
        mark(picture, found, size, x_of(size["size"]) + 15, y_of, ASIDE_COLOUR, GROUND)
    for size in tick_sizes([size["size"] for size in on_line]):
        picture.text(x_of(size), top + HEIGHT + 20, f"{size:,}", size=15, fill=FAINT, anchor="middle")
    picture.y = top + HEIGHT + 24
    for size in aside:
        picture.y += 20
        picture.parts.append(f'<circle cx="{LEFT + 5}" cy="{picture.y - 5}" r="5" fill="{GROUND}" stroke="{ASIDE_COLOUR}" stroke-width="2.5"/>')
        picture.text(LEFT + 18, picture.y, f"{size['name'].replace('`', '')} – {median(found, size):.0f} µs", size=15, fill=INK)


def mark(picture, found, size, x, y_of, stroke, fill):
    low, middle, high = stats.spread([one["cpu_us"] for one in found["rounds"][size["name"]]])
    picture.line([(x, y_of(low)), (x, y_of(high))], stroke, width=1.5)
    picture.parts.append(f'<circle cx="{x:.1f}" cy="{y_of(middle):.1f}" r="5" fill="{fill}" stroke="{stroke}" stroke-width="2.5"/>')


def median(found, size):
    return statistics.median(one["cpu_us"] for one in found["rounds"][size["name"]])


def highest(found, size):
    return max(one["cpu_us"] for one in found["rounds"][size["name"]])


def tick_sizes(sizes):
    """Those with room for their letters: powers of ten, and the last."""
    return [size for size in sizes if math.log10(size).is_integer() or size == sizes[-1]]
