//! Stylesheets of the operator for the pages of a user pool.
//!
//! A stylesheet is read, checked against lists, and written again from what was understood (decision 100). What is sent to browsers is
//! therefore never the text of the file. Nothing of a stylesheet can ask for something elsewhere: the only addresses are pictures inside the
//! file. `Content-Security-Policy` would keep browsers from doing so as well.
//!
//! The class names of Amazon Cognito (pool §14.2) are taken for the elements that our pages have in their place: `alias` says which.

mod alias;
mod allowed;
mod selector;
mod token;
mod value;

use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use token::{Kind, Token};

/// Largest file, as with Amazon Cognito (pool §14.2).
pub(crate) const BYTES_MAX: usize = 131_072;
/// The folder of the address of a stylesheet, on the host of the pool.
pub(crate) const FOLDER: &str = "/style/";
/// Problems that are told of one file.
const PROBLEMS_MAX: usize = 20;
/// How deep parentheses may be nested.
const DEPTH_MAX: usize = 8;

/// A stylesheet that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stylesheet {
    text: Bytes,
    path: Arc<str>,
    has_pictures: bool,
}

/// Why a file cannot be used, and the line, counted from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: u32,
    pub(crate) message: String,
}

impl Stylesheet {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// At least one [`Problem`], at most [`PROBLEMS_MAX`].
    pub(crate) fn read(text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > BYTES_MAX {
            let message = format!("the file has {} bytes, and at most {BYTES_MAX} are possible", text.len());
            return Err(vec![Problem { line: 1, message }]);
        }
        let tokens = token::tokens(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|problem| vec![problem])?;
        let mut sheet =
            Reader { rest: &tokens, line: 1, out: String::new(), problems: Vec::new(), has_pictures: false };
        sheet.rules(false);
        if !sheet.problems.is_empty() {
            return Err(sheet.problems);
        }
        // Whoever has a page has its stylesheet: another one has another name, so the file can be kept for ever.
        let hash = digest::digest(&digest::SHA256, sheet.out.as_bytes());
        let name: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            path: format!("{FOLDER}{name}.css").into(),
            has_pictures: sheet.has_pictures,
            text: Bytes::from(sheet.out),
        })
    }

    /// What browsers get. ASCII, except for the names of fonts.
    pub(crate) fn text(&self) -> &Bytes {
        &self.text
    }

    /// The path on the host of the pool. It has a digest of the text.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether there are pictures inside, as `data:` URLs.
    pub(crate) fn has_pictures(&self) -> bool {
        self.has_pictures
    }
}

/// Reads tokens and writes the stylesheet.
struct Reader<'t> {
    rest: &'t [Token<'t>],
    /// Of the token that was taken last.
    line: u32,
    out: String,
    problems: Vec<Problem>,
    has_pictures: bool,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<Kind<'t>> {
        self.rest.first().map(|token| token.kind)
    }

    fn next(&mut self) -> Option<Kind<'t>> {
        let (first, rest) = self.rest.split_first()?;
        (self.rest, self.line) = (rest, first.line);
        Some(first.kind)
    }

    /// Takes spaces and comments. Whether there was a space.
    fn skip_space(&mut self) -> bool {
        let mut had_space = false;
        while let Some(kind @ (Kind::Space | Kind::Comment)) = self.peek() {
            had_space |= kind == Kind::Space;
            self.next();
        }
        had_space
    }

    fn problem(&mut self, message: impl Into<String>) {
        let line = self.line;
        self.problem_on(line, message);
    }

    fn problem_on(&mut self, line: u32, message: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { line, message: message.into() });
        }
    }

    /// Rules up to the end of the file, or of the block that was opened.
    fn rules(&mut self, is_inside: bool) {
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

    fn at_rule(&mut self, name: &str, is_inside: bool) {
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
    fn media_query(&mut self) -> bool {
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
    fn rule(&mut self) {
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
    fn skip_rule(&mut self) {
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

    fn skip_block(&mut self) {
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
    fn write(&mut self, kind: Kind<'_>) {
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

    fn push(&mut self, before: &str, text: &str, after: &str) {
        self.out.extend([before, text, after]);
    }
}

#[cfg(test)]
mod tests;
