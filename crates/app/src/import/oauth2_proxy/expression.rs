//! Regular expressions on paths: what oauth2-proxy searches for, as conditions that compare the whole path.
//!
//! oauth2-proxy searches the decoded path for an expression of Go, which works on characters. A condition has the flavour of the crate `regex`,
//! works on bytes, and compares the whole path (decision 71). [`translate`] accepts what both flavours read in the same way. Its result takes
//! the same paths, or fewer: a rule without a sign-in must not take a path that needed one.

use regex_syntax::ast::{AssertionKind, Ast, Flag, FlagsItemKind, Repetition, RepetitionKind, Span};

use crate::import::expression::{
    BEYOND_ASCII, DIFFERENT, check_assertion, check_literal, check_repetition, is_beyond_ascii, parsed,
};
use crate::rule::condition::Condition;

/// An expression for the whole path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// What every path begins with that it takes.
    pub(super) literal: String,
    /// It is found anywhere in a path.
    pub(super) is_anywhere: bool,
}

/// Visible ASCII and the blank: what a path has besides characters beyond ASCII.
const ASCII: &str = "[ -~]";

/// The same expression for the whole path.
///
/// # Errors
///
/// Why there is none.
pub(super) fn translate(regex: &str) -> Result<Translated, String> {
    let ast = parsed(regex)?;
    let mut walk = Walk { regex, ignores_case: false, narrower: Vec::new() };
    walk.flags(&ast)?;
    walk.check(&ast, Beside::Nothing)?;
    let ignores_case = walk.ignores_case;
    let text = walk.narrowed();
    let (begins, ends) = (is_at(&ast, End::First), is_at(&ast, End::Last));
    let (prefix, suffix) = (if begins { "" } else { ".*" }, if ends { "" } else { ".*" });
    let is_alternation = matches!(ast, Ast::Alternation(_)) && !(begins && ends);
    let text = if is_alternation { format!("{prefix}(?:{text}){suffix}") } else { format!("{prefix}{text}{suffix}") };
    Condition::path_regex(std::slice::from_ref(&text)).map_err(|error| error.to_string())?;
    let literal = if ignores_case { String::new() } else { literal(&ast) };
    Ok(Translated { is_anywhere: text.starts_with(".*"), text, literal })
}

/// Which end of an expression.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// What is beside a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Literals of ASCII, the ends of the path, or nothing.
    Nothing,
    /// It may be something that takes a part of a character.
    Anything,
}

/// Whether the expression says that it is at this end of the path, or takes everything up to it.
fn is_at(ast: &Ast, end: End) -> bool {
    match (ast, end) {
        (Ast::Assertion(assertion), End::First) => {
            matches!(assertion.kind, AssertionKind::StartLine | AssertionKind::StartText)
        }
        (Ast::Assertion(assertion), End::Last) => {
            matches!(assertion.kind, AssertionKind::EndLine | AssertionKind::EndText)
        }
        (Ast::Repetition(repetition), _) => is_everything(repetition),
        (Ast::Concat(parts), end) => {
            let mut parts = parts.asts.iter().filter(|part| !matches!(part, Ast::Flags(_)));
            let outer = match end {
                End::First => parts.next(),
                End::Last => parts.next_back(),
            };
            outer.is_some_and(|part| is_at(part, end))
        }
        (Ast::Alternation(parts), end) => parts.asts.iter().all(|part| is_at(part, end)),
        (Ast::Group(group), end) => is_at(&group.ast, end),
        _ => false,
    }
}

/// `.*`.
fn is_everything(repetition: &Repetition) -> bool {
    matches!(repetition.op.kind, RepetitionKind::ZeroOrMore) && matches!(*repetition.ast, Ast::Dot(_))
}

/// The literal behind `^`.
fn literal(ast: &Ast) -> String {
    let Ast::Concat(parts) = ast else { return String::new() };
    let mut parts = parts.asts.iter();
    if !parts.next().is_some_and(|first| matches!(first, Ast::Assertion(_)) && is_at(first, End::First)) {
        return String::new();
    }
    parts.map_while(|part| if let Ast::Literal(literal) = part { Some(literal.c) } else { None }).collect()
}

struct Walk<'r> {
    regex: &'r str,
    ignores_case: bool,
    /// Parts of the text, and what takes their place.
    narrower: Vec<(Span, String)>,
}

impl Walk<'_> {
    /// The flags of the whole expression, wherever they stand.
    fn flags(&mut self, ast: &Ast) -> Result<(), &'static str> {
        let mut waiting = vec![ast];
        while let Some(ast) = waiting.pop() {
            let flags = match ast {
                Ast::Flags(set) => Some(&set.flags),
                Ast::Group(group) => {
                    waiting.push(&group.ast);
                    group.flags()
                }
                Ast::Repetition(repetition) => {
                    waiting.push(&repetition.ast);
                    None
                }
                Ast::Concat(parts) => {
                    waiting.extend(&parts.asts);
                    None
                }
                Ast::Alternation(parts) => {
                    waiting.extend(&parts.asts);
                    None
                }
                _ => None,
            };
            for item in flags.iter().flat_map(|flags| &flags.items) {
                match item.kind {
                    FlagsItemKind::Flag(Flag::CaseInsensitive) => self.ignores_case = true,
                    // Of lines, which no path has; of what is captured, which nothing asks for.
                    FlagsItemKind::Flag(Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed)
                    | FlagsItemKind::Negation => {}
                    FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace) => return Err(DIFFERENT),
                }
            }
        }
        Ok(())
    }

    fn check(&mut self, ast: &Ast, beside: Beside) -> Result<(), &'static str> {
        match ast {
            Ast::Empty(_) | Ast::Flags(_) => Ok(()),
            Ast::Literal(literal) => check_literal(literal),
            Ast::Dot(span) => {
                self.one(span, None, beside);
                Ok(())
            }
            Ast::Assertion(assertion) => check_assertion(&assertion.kind),
            Ast::ClassPerl(class) => {
                if class.negated {
                    self.one(&class.span, Some(ASCII), beside);
                }
                Ok(())
            }
            Ast::ClassBracketed(class) => {
                if is_beyond_ascii(class)? {
                    self.one(&class.span, Some(ASCII), beside);
                }
                Ok(())
            }
            Ast::ClassUnicode(_) => Err(BEYOND_ASCII),
            Ast::Repetition(repetition) => self.repetition(repetition, beside),
            Ast::Group(group) => self.check(&group.ast, Beside::Anything),
            Ast::Alternation(parts) => parts.asts.iter().try_for_each(|part| self.check(part, beside)),
            Ast::Concat(parts) => {
                let is_apart = |part: Option<&Ast>| match part {
                    None => beside == Beside::Nothing,
                    Some(part) => {
                        matches!(part, Ast::Literal(_))
                            || is_at(part, End::First) && !matches!(part, Ast::Repetition(_))
                            || matches!(part, Ast::Assertion(_)) && is_at(part, End::Last)
                    }
                };
                for (place, part) in parts.asts.iter().enumerate() {
                    let before = place.checked_sub(1).and_then(|place| parts.asts.get(place));
                    let is_apart = is_apart(before) && is_apart(parts.asts.get(place + 1));
                    self.check(part, if is_apart { Beside::Nothing } else { Beside::Anything })?;
                }
                Ok(())
            }
        }
    }

    fn repetition(&mut self, repetition: &Repetition, beside: Beside) -> Result<(), &'static str> {
        check_repetition(self.regex, repetition)?;
        let is_one = matches!(*repetition.ast, Ast::Dot(_) | Ast::ClassBracketed(_) | Ast::ClassPerl(_));
        match repetition.op.kind {
            // Any number of bytes beyond ASCII is any number of characters. Not if case is ignored: then a character beyond ASCII can be
            // one that the class does not have.
            RepetitionKind::ZeroOrMore if is_one && (!self.ignores_case || matches!(*repetition.ast, Ast::Dot(_))) => {
                let known = self.narrower.len();
                self.check(&repetition.ast, Beside::Nothing)?;
                self.narrower.truncate(known);
                Ok(())
            }
            RepetitionKind::OneOrMore | RepetitionKind::ZeroOrOne if is_one => self.check(&repetition.ast, beside),
            _ => self.check(&repetition.ast, Beside::Anything),
        }
    }

    /// A part that takes one character of Go, and one byte here. Beside a literal, one byte is a character of ASCII, as every path is UTF-8.
    /// Elsewhere it takes ASCII only from now on: two such parts could take two bytes of one character.
    fn one(&mut self, span: &Span, class: Option<&str>, beside: Beside) {
        let text = &self.regex[span.start.offset..span.end.offset];
        let narrower = class.map_or_else(|| ASCII.to_owned(), |ascii| format!("[{text}&&{ascii}]"));
        if beside == Beside::Anything || self.ignores_case && class.is_some() {
            self.narrower.push((*span, narrower));
        }
    }

    fn narrowed(mut self) -> String {
        self.narrower.sort_by_key(|(span, _)| span.start.offset);
        let (mut text, mut from) = (String::new(), 0);
        for (span, narrower) in &self.narrower {
            text.push_str(&self.regex[from..span.start.offset]);
            text.push_str(narrower);
            from = span.end.offset;
        }
        text + &self.regex[from..]
    }
}

#[cfg(test)]
mod tests;
