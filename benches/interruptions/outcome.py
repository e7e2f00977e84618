"""What a part found."""

import dataclasses


@dataclasses.dataclass
class Outcome:
    """`lost` has {what: how many}, `faults` a sentence for each thing that went wrong beside that."""

    lost: dict
    faults: list

    @property
    def is_good(self):
        return not self.faults and not any(self.lost.values())


def last_line(outcomes):
    """What was lost in all of {part: outcome}, in one line."""
    lost = [f"{count} {what} ({part})" for part, outcome in outcomes.items() for what, count in outcome.lost.items() if count]
    faults = [f"{fault} ({part})" for part, outcome in outcomes.items() for fault in outcome.faults]
    return f"lost: {', '.join(lost) or '0'}" + (f"; failed: {'; '.join(faults)}" if faults else "")
