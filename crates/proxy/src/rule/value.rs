//! The values of a condition: patterns with wildcards, or regular expressions.

use std::fmt;

use crate::rule::expression::{self, Expression, Parsed};
use crate::rule::pattern::{Case, Pattern};

/// A value of a condition on the host, the path or a header.
#[derive(Clone, Debug)]
pub struct Value {
    /// Matches every text that the value matches. Without an expression, it is the value.
    hull: Pattern,
    regex: Option<Box<Regex>>,
}

#[derive(Clone, Debug)]
struct Regex {
    text: String,
    expression: Expression,
    /// Whether the expression matches every text that the hull matches.
    is_hull: bool,
}

impl Value {
    pub(crate) fn wildcards(text: &str, case: Case) -> Self {
        Self { hull: Pattern::new(text, case), regex: None }
    }

    /// A regular expression. `hull_case` is the case of the hull: texts that have only one case need no folding.
    ///
    /// # Errors
    ///
    /// [`expression::Error`].
    pub(crate) fn regex(text: &str, parsed: Parsed<'_>, hull_case: Case) -> Result<Self, expression::Error> {
        let (hull, is_hull) = parsed.hull();
        let hull = Pattern::new(&hull, hull_case);
        let regex = Regex { text: text.to_owned(), expression: parsed.compile()?, is_hull };
        Ok(Self { hull, regex: Some(Box::new(regex)) })
    }

    /// Whether the whole `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.regex {
            None => self.hull.matches(text),
            Some(regex) => regex.expression.matches(text),
        }
    }

    /// A pattern that matches at least what the value matches.
    pub(crate) fn hull(&self) -> &Pattern {
        &self.hull
    }

    /// Whether the hull is the only text that may match.
    pub fn literal(&self) -> Option<&str> {
        self.hull.literal()
    }

    /// Whether a text that matches may begin with `byte`. May return true although none does.
    pub(crate) fn may_begin_with(&self, byte: u8) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.expression.may_begin_with(byte))
    }

    /// Whether the value matches every text that `other` matches. May return false although it is true, but never the reverse.
    pub fn covers(&self, other: &Self) -> bool {
        let is_same = || matches!((&self.regex, &other.regex), (Some(ours), Some(theirs)) if ours.text == theirs.text);
        (self.is_hull() && self.hull.covers(&other.hull))
            || is_same()
            || other.literal().is_some_and(|text| self.matches(text))
    }

    /// Whether the value matches every path.
    pub(crate) fn is_every_path(&self) -> bool {
        self.is_hull() && self.hull.is_every_path()
    }

    /// Whether the value matches every text.
    pub(crate) fn is_everything(&self) -> bool {
        self.is_hull() && self.hull.is_everything()
    }

    /// Whether it is a regular expression.
    pub(crate) fn is_regex(&self) -> bool {
        self.regex.is_some()
    }

    fn is_hull(&self) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_hull)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.regex {
            None => self.hull.fmt(f),
            Some(regex) => write!(f, "regex {}", regex.text),
        }
    }
}
