"""Rounds in which everyone has a turn, and what is made of them."""

import statistics


def rounds(count, contenders, measure):
    """Measures each contender once in each round; answers {contender's name: [what `measure(contender)` said, by round]}.

    Every other round goes the other way around, so that whoever goes first is not always the same; a noisy minute hits
    everyone.
    """
    found = {contender.name: [] for contender in contenders}
    for number in range(count):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            found[contender.name].append(measure(contender))
    return found


def ratio(values, others):
    """The median of the ratios of each round: a minute that was slow for both says nothing."""
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


def spread(values):
    """Lowest, median, highest."""
    return min(values), statistics.median(values), max(values)
