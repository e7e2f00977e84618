//! Regular expressions of other systems: what every flavour reads in the same way.
//!
//! A path that another flavour takes and ours does not is open, if the rule protects it. So an expression is carried over only if its syntax
//! tree has nothing in it that the crate `regex-syntax` reads in its own way.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassBracketed, ClassSet, ClassSetItem, Flag, FlagsItemKind, HexLiteralKind, Literal,
    LiteralKind, Repetition, RepetitionKind, RepetitionRange,
};

/// How deep groups may be nested.
const NESTING_MAX: u32 = 32;

pub(crate) const DIFFERENT: &str = "it means something else in the flavour of Vestibule";
pub(crate) const BEYOND_ASCII: &str = "it has characters beyond ASCII";

/// The syntax tree of an expression.
///
/// # Errors
///
/// In a sentence: ours does not have it.
pub(crate) fn parsed(regex: &str) -> Result<Ast, String> {
    let parsed = ParserBuilder::new().nest_limit(NESTING_MAX).build().parse(regex);
    parsed.map_err(|error| format!("it cannot be read: {}", error.kind()))
}

/// Whether PCRE, as Apache uses it, takes the same paths. Both work on bytes there, and their classes know ASCII only (pcre2pattern(3)).
///
/// # Errors
///
/// Why not, or why it is not known.
pub(crate) fn check_for_pcre(regex: &str) -> Result<(), String> {
    let ast = parsed(regex)?;
    // Flags elsewhere than at the begin hold for different parts of alternatives.
    let (flags, rest) = match &ast {
        Ast::Concat(parts) => match parts.asts.as_slice() {
            [Ast::Flags(set), rest @ ..] => (Some(&set.flags), rest),
            rest => (None, rest),
        },
        other => (None, std::slice::from_ref(other)),
    };
    let flags = flags.into_iter().flat_map(|flags| &flags.items);
    flags.map(|item| &item.kind).try_for_each(check_flag)?;
    rest.iter().try_for_each(|ast| check(regex, ast)).map_err(str::to_owned)
}

fn check_flag(flag: &FlagsItemKind) -> Result<(), &'static str> {
    match flag {
        FlagsItemKind::Flag(Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed)
        | FlagsItemKind::Negation => Ok(()),
        FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace) => Err(DIFFERENT),
    }
}

fn check(regex: &str, ast: &Ast) -> Result<(), &'static str> {
    match ast {
        Ast::Empty(_) | Ast::Dot(_) | Ast::ClassPerl(_) => Ok(()),
        Ast::Flags(_) => Err(DIFFERENT),
        // `\v` is a class of PCRE, and `\e` and others are no letters here.
        Ast::Literal(literal) if matches!(literal.kind, LiteralKind::Special(_)) => Err(DIFFERENT),
        Ast::Literal(literal) => check_literal(literal),
        Ast::Assertion(assertion) => check_assertion(&assertion.kind),
        Ast::ClassUnicode(_) => Err(BEYOND_ASCII),
        Ast::ClassBracketed(class) => is_beyond_ascii(class).map(drop),
        Ast::Repetition(repetition) => {
            check_repetition(regex, repetition)?;
            check(regex, &repetition.ast)
        }
        Ast::Group(group) => {
            let flags = group.flags().into_iter().flat_map(|flags| &flags.items);
            flags.map(|item| &item.kind).try_for_each(check_flag)?;
            check(regex, &group.ast)
        }
        Ast::Alternation(parts) => parts.asts.iter().try_for_each(|part| check(regex, part)),
        Ast::Concat(parts) => parts.asts.iter().try_for_each(|part| check(regex, part)),
    }
}

/// The ends of a text, and `\b`. All others are about words, in our own syntax, or hold between the bytes of one character.
pub(crate) fn check_assertion(kind: &AssertionKind) -> Result<(), &'static str> {
    match kind {
        AssertionKind::StartLine
        | AssertionKind::EndLine
        | AssertionKind::StartText
        | AssertionKind::EndText
        | AssertionKind::WordBoundary => Ok(()),
        _ => Err(DIFFERENT),
    }
}

/// `a++` never gives back what it took in PCRE, and `{,3}` and `{ 3 }` are literals there and in Go.
pub(crate) fn check_repetition(regex: &str, repetition: &Repetition) -> Result<(), &'static str> {
    if matches!(*repetition.ast, Ast::Repetition(_) | Ast::Assertion(_) | Ast::Empty(_) | Ast::Flags(_)) {
        return Err(DIFFERENT);
    }
    let RepetitionKind::Range(range) = &repetition.op.kind else { return Ok(()) };
    let op = &regex[repetition.op.span.start.offset..repetition.op.span.end.offset];
    let is_same = match range {
        RepetitionRange::Exactly(count) => op.starts_with(&format!("{{{count}}}")),
        RepetitionRange::AtLeast(from) => op.starts_with(&format!("{{{from},}}")),
        RepetitionRange::Bounded(from, to) => op.starts_with(&format!("{{{from},{to}}}")),
    };
    if is_same { Ok(()) } else { Err(DIFFERENT) }
}

pub(crate) fn check_literal(literal: &Literal) -> Result<(), &'static str> {
    if !literal.c.is_ascii() {
        return Err(BEYOND_ASCII);
    }
    match literal.kind {
        LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous | LiteralKind::Special(_) => Ok(()),
        LiteralKind::HexFixed(HexLiteralKind::X) | LiteralKind::HexBrace(HexLiteralKind::X) => Ok(()),
        LiteralKind::Octal | LiteralKind::HexFixed(_) | LiteralKind::HexBrace(_) => Err(DIFFERENT),
    }
}

/// Whether a class has characters beyond ASCII.
pub(crate) fn is_beyond_ascii(class: &ClassBracketed) -> Result<bool, &'static str> {
    // No other flavour has `&&`, `--` and `~~` in classes, and classes in classes.
    let ClassSet::Item(item) = &class.kind else { return Err(DIFFERENT) };
    let (mut waiting, mut is_beyond) = (vec![item], class.negated);
    while let Some(item) = waiting.pop() {
        match item {
            ClassSetItem::Empty(_) => {}
            ClassSetItem::Literal(literal) => check_literal(literal)?,
            ClassSetItem::Range(range) => {
                check_literal(&range.start)?;
                check_literal(&range.end)?;
            }
            ClassSetItem::Ascii(class) => is_beyond |= class.negated,
            ClassSetItem::Perl(class) => is_beyond |= class.negated,
            ClassSetItem::Unicode(_) => return Err(BEYOND_ASCII),
            ClassSetItem::Bracketed(_) => return Err(DIFFERENT),
            ClassSetItem::Union(union) => waiting.extend(&union.items),
        }
    }
    Ok(is_beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pcre_reads_in_another_way_is_refused() {
        for regex in [
            "^/[a-z&&b]",
            "^/[a~~b]",
            "^/[a--b]",
            "^/[&&a]",
            "^/[a-z&&[^b]]",
            "^/[[a]b]",
            "^/[a[:alpha:][b]]",
            "^/[[]",
            r"^/\<a",
            r"^/a\>",
            r"^/\b{start}a",
            r"^/\b{end}",
            r"\Ba",
            "a++",
            "a*+",
            "a?+",
            "a{2}+",
            "a{2}{3}",
            "^*a",
            "\\b+",
            "(?>a)",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?<!a)",
            "(?|a|b)",
            "(?#a)",
            "(?x) a",
            "(?x:[a b])",
            "a(?i)b",
            "(?i)a|(?-i)b",
            "(?u)a",
            "(?R)a",
            "a{,3}",
            "a{ 3 }",
            "a{1, 3}",
            "a{",
            r"\Qa\E",
            r"\Za",
            r"a\Z",
            r"\ha",
            r"\Ra",
            r"\Ka",
            r"\Na",
            r"\va",
            r"\ta",
            r"\ea",
            r"\1",
            r"\01",
            r"\101",
            r"\o{101}",
            r"\cA",
            r"\u0041",
            r"\U00000041",
            r"\pL",
            r"\p{L}",
            r"\xe9",
            r"[\xe9]",
            "é",
            "[é]",
            "(*UTF8)a",
            "(*FAIL)",
            "a**",
            "[[.a.]]",
            "[[=a=]]",
            "[[:<:]]",
            "[a\\b]",
            r"\Ga",
            r"\Ca",
            r"\Xa",
        ] {
            assert!(check_for_pcre(regex).is_err(), "{regex}");
        }
        for regex in [
            "^/a$",
            "/a",
            r"\.css$",
            "^/(a|b)/",
            "^/[a-z0-9_-]+$",
            "^/[^/]+$",
            r"^/\d{2,3}/\w+?\s*$",
            "^/v[0-9]{1,}",
            "(?i)^/admin",
            "(?i:^/a)b",
            r"^/\x41",
            r"^/\x{41}",
            r"^/\/\-\_\%\#",
            "^/[[:alpha:]]",
            "^/[]a]",
            "^/[^]a]",
            r"\A/a\z",
            r"/a\b",
            "^/(?:a+)+$",
            "(?P<n>a)",
            "^/(|a)$",
            "^/a}]$",
            "^/[a&b~c-]",
            r"^/\D\W\S",
        ] {
            assert_eq!(check_for_pcre(regex), Ok(()), "{regex}");
        }
    }
}
