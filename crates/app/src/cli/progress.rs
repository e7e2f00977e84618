//! A line on the terminal that says how far a long command is. Nothing if standard error is not a terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};

/// The line is drawn anew at most this often.
const EVERY: Duration = Duration::from_millis(100);
/// Columns of the bar.
const BAR: u64 = 24;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Items,
}

/// The progress of one step. The line goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    /// `None`: nobody looks.
    screen: Option<Screen>,
    step: Step,
}

/// How far a step is.
#[derive(Clone, Copy, Debug)]
struct Step {
    name: &'static str,
    unit: Unit,
    done: u64,
    total: u64,
}

#[derive(Debug)]
struct Screen {
    clock: Clock,
    began: Timestamp,
    drawn: Timestamp,
}

impl Progress {
    /// Of `total` units. `is_silent`: the output is for a program.
    pub(crate) fn new(name: &'static str, unit: Unit, total: u64, is_silent: bool) -> Self {
        let screen = (!is_silent && stderr().is_terminal()).then(|| {
            let clock = Clock::system();
            let began = clock.now();
            Screen { clock, began, drawn: began }
        });
        Self { screen, step: Step { name, unit, done: 0, total } }
    }

    /// So many units more are done.
    pub(crate) fn add(&mut self, units: u64) {
        self.step.done = self.step.done.saturating_add(units);
        let Some(screen) = &mut self.screen else { return };
        let now = screen.clock.now();
        if now.since(screen.drawn) >= EVERY {
            screen.drawn = now;
            // Goes to the start of the line, and clears what is right of the text. A terminal that cannot be written to is no failure.
            let _ = write!(stderr(), "\r{}\x1b[K", self.step.line(now.since(screen.began)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.screen.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Step {
    /// At most 79 columns.
    fn line(self, elapsed: Duration) -> String {
        let Self { name, unit, done, total } = self;
        let done = done.min(total);
        let part = |of: u64| u64::try_from(u128::from(done) * u128::from(of) / u128::from(total.max(1))).unwrap_or(0);
        let bar: String = (0..BAR).map(|column| if column < part(BAR) { '#' } else { '.' }).collect();
        let seconds = elapsed.as_secs();
        // At first, it is too early to say.
        let left = match seconds.saturating_mul(total - done).checked_div(done) {
            Some(left) if seconds >= 2 => format!(", {} left", duration(left)),
            _ => String::new(),
        };
        format!("{name} [{bar}] {:>3}% of {}{left}", part(100), unit.amount(total))
    }
}

impl Unit {
    fn amount(self, number: u64) -> String {
        const NAMES: [&str; 4] = ["", "thousand", "million", "billion"];
        const BYTES: [&str; 4] = ["bytes", "kB", "MB", "GB"];
        let (mut scaled, mut power) = (number as f64, 0);
        while scaled >= 1000.0 && power < 3 {
            (scaled, power) = (scaled / 1000.0, power + 1);
        }
        let digits = if power == 0 { format!("{number}") } else { format!("{scaled:.1}") };
        let name = if self == Self::Bytes { BYTES[power] } else { NAMES[power] };
        format!("{digits} {name}").trim_end().to_owned()
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn line(unit: Unit, done: u64, total: u64, seconds: u64, expected: &str) {
        let step = Step { name: "Reading", unit, done, total };
        assert_eq!(step.line(Duration::from_secs(seconds)), expected);
        assert!(expected.len() < 80);
    }

    #[test]
    fn a_line_says_how_much_is_done_and_how_long_the_rest_takes() {
        line(Unit::Items, 0, 500, 0, "Reading [........................]   0% of 500");
        line(Unit::Items, 250, 500, 10, "Reading [############............]  50% of 500, 10 s left");
        line(Unit::Bytes, 1_000, 38_400_000_000, 1, "Reading [........................]   0% of 38.4 GB");
        line(
            Unit::Items,
            1,
            1_500_000,
            4,
            "Reading [........................]   0% of 1.5 million, 1666 h 39 min left",
        );
        line(Unit::Items, 7, 7, 90, "Reading [########################] 100% of 7, 0 s left");
        // A file that grew meanwhile, and an empty one.
        line(Unit::Bytes, 9, 7, 1, "Reading [########################] 100% of 7 bytes");
        line(Unit::Bytes, 0, 0, 9, "Reading [........................]   0% of 0 bytes");
        line(Unit::Items, 30, 90, 60, "Reading [########................]  33% of 90, 2 min left");
    }
}
