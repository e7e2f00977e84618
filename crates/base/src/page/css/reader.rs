//! Reads the rules of a stylesheet, and writes what was understood. `selector` and `value` read the parts of a rule.

use crate::page::css::allowed;
use crate::page::css::problem::{PROBLEMS_MAX, Problem};
use crate::page::css::token::{Kind, Token};

/// How deep parentheses may be nested.
pub(super) const DEPTH_MAX: usize = 8;

/// Reads tokens and writes the stylesheet.
pub(super) struct Reader<'t> {
    pub(super) rest: &'t [Token<'t>],
    /// Of the token that was taken last.
    pub(super) line: u32,
    pub(super) out: String,
    pub(super) problems: Vec<Problem>,
    pub(super) has_pictures: bool,
}

impl<'t> Reader<'t> {
    pub(super) fn peek(&self) -> Option<Kind<'t>> {
        self.rest.first().map(|token| token.kind)
    }

    pub(super) fn next(&mut self) -> Option<Kind<'t>> {
        let (first, rest) = self.rest.split_first()?;
        (self.rest, self.line) = (rest, first.line);
        Some(first.kind)
    }

    /// Takes spaces and comments. Whether there was a space.
    pub(super) fn skip_space(&mut self) -> bool {
        let mut had_space = false;
        while let Some(kind @ (Kind::Space | Kind::Comment)) = self.peek() {
            had_space |= kind == Kind::Space;
            self.next();
        }
        had_space
    }

    pub(super) fn problem(&mut self, message: impl Into<String>) {
        let line = self.line;
        self.problem_on(line, message);
    }

    pub(super) fn problem_on(&mut self, line: u32, message: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { line, message: message.into() });
        }
    }

    /// Rules up to the end of the file, or of the block that was opened.
    pub(super) fn rules(&mut self, is_inside: bool) {
        let opened = self.line;
        loop {
            self.skip_space();
            match self.peek() {
                None if is_inside => return self.problem_on(opened, "the `{` of this line is not closed"),
                None => return,
                Some(Kind::Mark('}')) => {
                    self.next();
                    if is_inside {
                        return;
                    }
                    self.problem("there is no `{` for this `}`");
                }
                Some(Kind::At(name)) => {
                    self.next();
                    self.at_rule(name, is_inside);
                }
                Some(_) => self.rule(),
            }
        }
    }

    pub(super) fn at_rule(&mut self, name: &str, is_inside: bool) {
        if !name.eq_ignore_ascii_case("media") || is_inside {
            let why = match name.to_ascii_lowercase().as_str() {
                "import" => "put the rules of the other file into this one",
                "font-face" => "use fonts that devices have: `font-family: system-ui, sans-serif`",
                "media" => "`@media` inside of another is not possible",
                _ => "the only rule with an `@` is `@media`",
            };
            self.problem(format!("`@{name}` is not possible: {why}"));
            self.skip_rule();
            return;
        }
        let start = self.out.len();
        self.out.push_str("@media");
        if !self.media_query() {
            self.out.truncate(start);
            self.skip_rule();
            return;
        }
        self.out.push('{');
        self.rules(true);
        self.out.push_str("}\n");
    }

    /// Up to and with the `{`. Whether it can be used.
    pub(super) fn media_query(&mut self) -> bool {
        let mut depth = 0_usize;
        let mut expects_feature = false;
        loop {
            if self.skip_space() {
                self.out.push(' ');
            }
            let is_right = match self.peek() {
                Some(Kind::Mark('{')) if depth == 0 && !self.out.trim_end().ends_with("@media") => {
                    self.next();
                    return true;
                }
                Some(Kind::Mark('(')) if depth < DEPTH_MAX => {
                    (depth, expects_feature) = (depth + 1, true);
                    true
                }
                Some(Kind::Mark(')')) if depth > 0 => {
                    depth -= 1;
                    true
                }
                Some(Kind::Mark(':')) => depth > 0,
                Some(Kind::Mark(',')) => depth == 0,
                Some(Kind::Ident(word)) if depth == 0 || allowed::is_media_word(word) => allowed::is_media_word(word),
                Some(Kind::Ident(word)) if expects_feature => {
                    expects_feature = false;
                    allowed::is_media_feature(word)
                }
                Some(Kind::Ident(_) | Kind::Number(_)) => depth > 0,
                _ => false,
            };
            let Some(kind) = self.next().filter(|_| is_right) else {
                self.problem("this `@media` cannot be read: write `@media (prefers-color-scheme: dark) { … }`");
                return false;
            };
            self.write(kind);
        }
    }

    /// A selector and its block.
    pub(super) fn rule(&mut self) {
        let start = self.out.len();
        if !self.selectors() {
            self.out.truncate(start);
            self.skip_rule();
            return;
        }
        self.out.push('{');
        self.declarations();
        self.out.push_str("}\n");
    }

    /// Skips to the end of a rule that cannot be read: after its block, or after a `;` before the block.
    pub(super) fn skip_rule(&mut self) {
        loop {
            match self.peek() {
                None | Some(Kind::Mark('}')) => return,
                Some(Kind::Mark(';')) => {
                    self.next();
                    return;
                }
                Some(Kind::Mark('{')) => {
                    self.next();
                    return self.skip_block();
                }
                Some(_) => drop(self.next()),
            }
        }
    }

    pub(super) fn skip_block(&mut self) {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next() {
                None => return,
                Some(Kind::Mark('{')) => depth += 1,
                Some(Kind::Mark('}')) => depth -= 1,
                Some(_) => {}
            }
        }
    }

    /// Writes a token as it was read.
    pub(super) fn write(&mut self, kind: Kind<'_>) {
        match kind {
            Kind::Ident(text) | Kind::Number(text) => self.out.push_str(text),
            Kind::Hash(text) => self.push("#", text, ""),
            Kind::At(text) => self.push("@", text, ""),
            Kind::Function(name) => self.push("", name, "("),
            Kind::Text(text) => self.push("\"", text, "\""),
            Kind::Url(text) => self.push("url(\"", text, "\")"),
            Kind::Space => self.out.push(' '),
            Kind::Comment => {}
            Kind::Mark(mark) => self.out.push(mark),
        }
    }

    pub(super) fn push(&mut self, before: &str, text: &str, after: &str) {
        self.out.extend([before, text, after]);
    }
}
