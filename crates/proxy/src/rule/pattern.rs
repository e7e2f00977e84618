//! Wildcard patterns: `*` matches any text, `?` matches one character. Patterns are parsed once.

use std::fmt;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
    case: Case,
}

/// Case sensitivity of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Sensitive,
    /// Case-insensitive for ASCII letters.
    Insensitive,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(String),
    One,
    Any,
}

/// One element of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Is(char),
    One,
    Any,
}

impl Pattern {
    /// Parses a pattern. `\*`, `\?` and `\\` are literal characters (ALB §7.2, query strings).
    pub(crate) fn new(text: &str, case: Case) -> Self {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let wildcard = match character {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' if matches!(characters.peek(), Some('*' | '?' | '\\')) => {
                    literal.extend(characters.next());
                    continue;
                }
                other => {
                    literal.push(other);
                    continue;
                }
            };
            push_literal(&mut tokens, &mut literal, case);
            if !(wildcard == Token::Any && tokens.last() == Some(&Token::Any)) {
                tokens.push(wildcard);
            }
        }
        push_literal(&mut tokens, &mut literal, case);
        Self { tokens, case }
    }

    /// Whether the pattern matches every path: `*` and `/*`.
    pub(crate) fn is_every_path(&self) -> bool {
        match &self.tokens[..] {
            [Token::Any] => true,
            [Token::Literal(literal), Token::Any] => literal == "/",
            _ => false,
        }
    }

    /// Whether the pattern matches every text: `*`.
    pub(crate) fn is_everything(&self) -> bool {
        self.tokens == [Token::Any]
    }

    /// Whether the pattern matches the whole `text`.
    ///
    /// Greedy with one backtracking point, which is enough because `*` matches any text. The work is at most the length of the text
    /// times the length of the pattern (attacks D-19).
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text;
        let mut index = 0;
        let mut fallback: Option<(usize, &str)> = None;
        loop {
            let stepped = match self.tokens.get(index) {
                // Shortcut for the most common patterns: `/a/*` and `*.a.test`.
                Some(Token::Any) => match &self.tokens[index + 1..] {
                    [] => return true,
                    [Token::Literal(literal)] => return self.ends_with(rest, literal),
                    _ => {
                        fallback = Some((index + 1, rest));
                        Some(rest)
                    }
                },
                Some(Token::One) => skip_one(rest),
                Some(Token::Literal(literal)) => self.strip(rest, literal),
                None if rest.is_empty() => return true,
                None => None,
            };
            match stepped {
                Some(after) => {
                    rest = after;
                    index += 1;
                }
                None => {
                    let Some((resume, from)) = fallback else { return false };
                    let Some(shorter) = skip_one(from) else { return false };
                    fallback = Some((resume, shorter));
                    rest = shorter;
                    index = resume;
                }
            }
        }
    }

    /// Whether this pattern matches every text that `other` matches. May return false although it is true, but never the
    /// reverse.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        if self.case == Case::Sensitive && other.case == Case::Insensitive {
            return false;
        }
        let (ours, others) = (self.elements(), other.elements());
        // `covered[n]`: the elements of `ours` read so far cover the first n elements of `others`.
        let mut covered: Vec<bool> = (0..=others.len()).map(|read| read == 0).collect();
        for element in ours {
            let mut next = vec![false; others.len() + 1];
            for read in 0..=others.len() {
                next[read] = match element {
                    Element::Any => covered[read] || (read > 0 && next[read - 1]),
                    Element::One => read > 0 && covered[read - 1] && others[read - 1] != Element::Any,
                    Element::Is(_) => read > 0 && covered[read - 1] && others[read - 1] == element,
                };
            }
            covered = next;
        }
        covered[others.len()]
    }

    fn elements(&self) -> Vec<Element> {
        let elements = self.tokens.iter().flat_map(|token| match token {
            Token::Literal(text) => text.chars().map(Element::Is).collect(),
            Token::One => vec![Element::One],
            Token::Any => vec![Element::Any],
        });
        elements.collect()
    }

    /// The number of wildcards.
    pub(crate) fn wildcards(&self) -> usize {
        self.tokens.iter().filter(|token| matches!(token, Token::Any | Token::One)).count()
    }

    /// The only text that matches, if the pattern has no wildcards.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.tokens.as_slice() {
            [Token::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The beginning of every text that matches: everything before the first wildcard. Lower case if the pattern is case-insensitive.
    pub(crate) fn head(&self) -> &str {
        literal(self.tokens.first())
    }

    /// The end of every text that matches: everything after the last wildcard. Lower case if the pattern is case-insensitive.
    pub(crate) fn tail(&self) -> &str {
        literal(self.tokens.last())
    }

    fn strip<'t>(&self, text: &'t str, literal: &str) -> Option<&'t str> {
        match self.case {
            Case::Sensitive => text.strip_prefix(literal),
            Case::Insensitive => {
                let head = text.get(..literal.len())?;
                head.eq_ignore_ascii_case(literal).then(|| &text[literal.len()..])
            }
        }
    }

    fn ends_with(&self, text: &str, literal: &str) -> bool {
        // Compared as bytes: in UTF-8, a text can only be found at character boundaries.
        let tail = text.len().checked_sub(literal.len()).map(|before| &text.as_bytes()[before..]);
        match self.case {
            Case::Sensitive => tail.is_some_and(|tail| tail == literal.as_bytes()),
            Case::Insensitive => tail.is_some_and(|tail| tail.eq_ignore_ascii_case(literal.as_bytes())),
        }
    }
}

/// The text of the element. `None` for a wildcard.
fn literal(token: Option<&Token>) -> &str {
    match token {
        Some(Token::Literal(text)) => text,
        Some(Token::One | Token::Any) | None => "",
    }
}

fn push_literal(tokens: &mut Vec<Token>, literal: &mut String, case: Case) {
    if !literal.is_empty() {
        let text = std::mem::take(literal);
        tokens.push(Token::Literal(if case == Case::Insensitive { text.to_ascii_lowercase() } else { text }));
    }
}

fn skip_one(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.iter().try_for_each(|token| match token {
            Token::Literal(text) => f.write_str(text),
            Token::One => f.write_str("?"),
            Token::Any => f.write_str("*"),
        })
    }
}
