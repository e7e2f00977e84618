"""Holds answers and times against each other."""

import math
import re
import statistics

CROP = 0.95
# Sealed, signed and random values. Their length is compared.
RANDOM = re.compile(r"[A-Za-z0-9_-]{20,}")


def masked(answer, name):
    """All of an answer that a client sees, without what is random."""
    if answer is None:
        return None
    headers = tuple(sorted((header, "*" if header == "date" else mask(value, name)) for header, value in answer.headers))
    return answer.status, headers, mask(answer.body, name)


def mask(text, name):
    return RANDOM.sub(lambda found: f"<{len(found.group())}>", text.replace(name, f"<name of {len(name)}>"))


def difference(some, others):
    """Where two sets of masked answers differ, in a line. None: nowhere."""
    if some == others:
        return None
    [one], [other] = ([*(some - others or some)][:1], [*(others - some or others)][:1])
    flat = lambda pair: [line for answer in pair if answer for line in (f"status {answer[0]}", *map(": ".join, answer[1]), *answer[2].split("\n"))]
    lines = [f"{left!r} and {right!r}" for left, right in zip(flat(one), flat(other)) if left != right]
    return lines[0] if lines else f"{len(some)} and {len(others)} different answers"


def welch(some, others):
    """Welch's t of two samples."""
    error = math.sqrt(statistics.variance(some) / len(some) + statistics.variance(others) / len(others))
    return (statistics.fmean(some) - statistics.fmean(others)) / error if error else 0.0


def cropped(some, others):
    """Both without the slowest of both together."""
    ordered = sorted([*some, *others])
    most = ordered[min(len(ordered) - 1, int(len(ordered) * CROP))]
    return [value for value in some if value < most], [value for value in others if value < most]
