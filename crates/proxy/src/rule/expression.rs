//! Regular expressions: the other kind of value (ALB §7.2).
//!
//! An expression becomes a table when the file is loaded (a deterministic automaton). A comparison reads each byte of the text once, so
//! no text makes it slow (attacks D-19). It needs no memory of its own, so workers share the table without a lock. The price is that
//! some expressions need a table that is too large. They are refused when the file is loaded.
//!
//! An expression must match the whole text, as a pattern does. It works on bytes: `\d`, `\w`, `\s` and `\b` know ASCII only, and `.` is
//! one byte (decision 71).

use std::fmt;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Class, ClassBytesRange, Hir, HirKind, Look};

use crate::message::regex::{self, NotRegex};
use crate::rule::pattern::Case;

/// Why a text cannot be used as a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Syntax(#[from] NotRegex),
    /// The table would be larger than [`TABLE_BYTES_MAX`].
    #[error("the regular expression `{0}` needs a table of more than {kb} KB", kb = TABLE_BYTES_MAX / 1024)]
    TooLarge(String),
}

/// Maximum size of the table of one expression. Those of common expressions have a few kilobytes.
pub(crate) const TABLE_BYTES_MAX: usize = 256 * 1024;
/// Maximum size of what the table is made of.
const NFA_BYTES_MAX: usize = 256 * 1024;

/// An expression that is ready to be compared with texts.
#[derive(Clone)]
pub(crate) struct Expression {
    table: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// An expression that is read, but not yet compiled.
#[derive(Debug)]
pub struct Parsed<'t> {
    text: &'t str,
    case: Case,
    /// With regard to `case`.
    whole: Hir,
    /// The same without regard to `case`: letters are still literals.
    as_written: Hir,
}

/// A part of an expression, as far as it is known what it matches.
enum Part {
    Literal(String),
    /// Any text.
    Any,
    Other,
}

impl<'t> Parsed<'t> {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`].
    pub fn new(text: &'t str, case: Case) -> Result<Self, Error> {
        let whole = regex::parse(text, case == Case::Insensitive)?;
        Ok(Self { text, case, whole, as_written: regex::parse(text, false)? })
    }

    /// Every literal text in it. A literal that no text can have is a mistake, wherever it stands.
    pub(crate) fn literals(&self) -> Vec<String> {
        let mut literals = Vec::new();
        let mut waiting = vec![&self.as_written];
        while let Some(hir) = waiting.pop() {
            match hir.kind() {
                HirKind::Literal(literal) => literals.push(String::from_utf8_lossy(&literal.0).into_owned()),
                HirKind::Repetition(repetition) => waiting.push(&repetition.sub),
                HirKind::Capture(capture) => waiting.push(&capture.sub),
                HirKind::Concat(parts) | HirKind::Alternation(parts) => waiting.extend(parts),
                HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => {}
            }
        }
        literals
    }

    /// A pattern with wildcards that matches every text that the expression matches, and whether the expression matches every text
    /// that the pattern matches, too. It is lower case if the expression ignores case.
    pub(crate) fn hull(&self) -> (String, bool) {
        let (parts, has_inner_looks) = parts(&self.as_written);
        let hull = parts.iter().map(|part| match part {
            Part::Literal(text) => text.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?"),
            Part::Any | Part::Other => "*".to_owned(),
        });
        let hull: String = hull.collect();
        let has_flags = self.case == Case::Insensitive && self.text.contains("(?");
        let is_exact = !has_inner_looks && !has_flags && !parts.iter().any(|part| matches!(part, Part::Other));
        (if self.case == Case::Insensitive { hull.to_ascii_lowercase() } else { hull }, is_exact)
    }

    /// Whether it does not say at both ends that it is for the whole text, so that it may be meant for a part of it.
    pub fn may_be_meant_for_a_part(&self) -> bool {
        let properties = self.as_written.properties();
        let (parts, _) = parts(&self.as_written);
        let is_any = |part: Option<&Part>| matches!(part, Some(Part::Any));
        let has_begin = properties.look_set_prefix().contains(Look::Start) || is_any(parts.first());
        let has_end = properties.look_set_suffix().contains(Look::End) || is_any(parts.last());
        !(has_begin && has_end)
    }

    /// Makes the table.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`]; [`Error::Syntax`] for what tables cannot do.
    pub(crate) fn compile(self) -> Result<Expression, Error> {
        let too_large = || Error::TooLarge(self.text.to_owned());
        let whole = Hir::concat(vec![Hir::look(Look::Start), self.whole, Hir::look(Look::End)]);
        let nfa =
            thompson::Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(NFA_BYTES_MAX));
        let nfa = NFA::compiler().configure(nfa).build_from_hir(&whole).map_err(|_| too_large())?;
        let dfa = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(TABLE_BYTES_MAX))
            .determinize_size_limit(Some(4 * TABLE_BYTES_MAX));
        let unusable = |error: &dense::BuildError| {
            if error.is_size_limit_exceeded() {
                return too_large();
            }
            let why = "it uses Unicode in a way that is not supported".to_owned();
            NotRegex { text: self.text.to_owned(), why }.into()
        };
        let table = dense::Builder::new().configure(dfa).build_from_nfa(&nfa).map_err(|error| unusable(&error))?;
        let start = table.start_state_forward(&Input::new("").anchored(Anchored::Yes)).map_err(|_| too_large())?;
        Ok(Expression { table, start })
    }
}

impl fmt::Debug for Expression {
    /// Without the table, which is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression of {} bytes", self.table.memory_usage())
    }
}

impl Expression {
    /// Whether the expression matches the whole `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut state = self.start;
        for byte in text.bytes() {
            state = self.table.next_state(state, byte);
            if self.table.is_dead_state(state) {
                return false;
            }
        }
        self.table.is_match_state(self.table.next_eoi_state(state))
    }

    /// Whether a text that matches may begin with `byte`.
    pub(crate) fn may_begin_with(&self, byte: u8) -> bool {
        !self.table.is_dead_state(self.table.next_state(self.start, byte))
    }
}

/// The parts of an expression in order, and whether it has assertions at other places than `^` at its begin and `$` at its end.
fn parts(hir: &Hir) -> (Vec<Part>, bool) {
    let mut flat = Vec::new();
    let mut waiting = vec![hir];
    while let Some(hir) = waiting.pop() {
        match hir.kind() {
            HirKind::Concat(parts) => waiting.extend(parts.iter().rev()),
            HirKind::Capture(capture) => waiting.push(&capture.sub),
            _ => flat.push(hir),
        }
    }
    let is = |hir: Option<&&Hir>, look: Look| hir.is_some_and(|hir| *hir.kind() == HirKind::Look(look));
    let first = usize::from(is(flat.first(), Look::Start));
    let end = flat.len() - usize::from(flat.len() > first && is(flat.last(), Look::End));
    let has_inner_looks = flat[first..end].iter().any(|hir| !hir.properties().look_set().is_empty());
    let consumes = |hir: &&&Hir| !matches!(hir.kind(), HirKind::Look(_) | HirKind::Empty);
    (flat[first..end].iter().filter(consumes).map(|hir| part(hir)).collect(), has_inner_looks)
}

fn part(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).map_or(Part::Other, Part::Literal),
        HirKind::Repetition(repetition) if repetition.min == 0 && repetition.max.is_none() => {
            match repetition.sub.kind() {
                HirKind::Class(Class::Bytes(class)) if class.ranges() == [ClassBytesRange::new(0, 255)] => Part::Any,
                _ => Part::Other,
            }
        }
        _ => Part::Other,
    }
}

#[cfg(test)]
mod tests;
