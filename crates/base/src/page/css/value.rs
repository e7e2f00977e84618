//! Declarations: properties and their values.

use crate::page::css::allowed;
use crate::page::css::reader::{DEPTH_MAX, Reader};
use crate::page::css::token::Kind;

impl Reader<'_> {
    /// Declarations up to and with the `}`.
    pub(super) fn declarations(&mut self) {
        let opened = self.line;
        loop {
            self.skip_space();
            match self.peek() {
                None => return self.problem_on(opened, "the `{` of this line is not closed"),
                Some(Kind::Mark('}')) => {
                    self.next();
                    return;
                }
                Some(Kind::Mark(';')) => drop(self.next()),
                Some(_) => self.declaration(),
            }
        }
    }

    fn declaration(&mut self) {
        let start = self.out.len();
        if self.declared().is_none() {
            self.out.truncate(start);
            self.skip_declaration();
        }
    }

    /// Writes one declaration. `None` if it cannot be used, which was told.
    fn declared(&mut self) -> Option<()> {
        let name = match self.next() {
            Some(Kind::Ident(name)) => name,
            Some(Kind::At(name)) => {
                self.problem(format!("`@{name}` is not possible inside of a rule"));
                return None;
            }
            _ => {
                self.problem("a property was expected; rules inside of a rule are not possible");
                return None;
            }
        };
        self.skip_space();
        if self.peek() != Some(Kind::Mark(':')) {
            self.problem(format!("`:` and a value are missing after `{name}`"));
            return None;
        }
        self.next();
        if !allowed::is_property(name) {
            self.problem(format!("the property `{name}` cannot be set on our pages"));
            return None;
        }
        self.push("", name, ":");
        let before = self.out.len();
        self.skip_space();
        self.value(name, None, 0)?;
        if self.out[before..].trim().is_empty() {
            self.problem(format!("`{name}` has no value"));
            return None;
        }
        self.out.push(';');
        Some(())
    }

    /// A value up to the `;` or `}`, which is left; or up to and with `end`, inside of parentheses.
    fn value(&mut self, property: &str, end: Option<char>, depth: usize) -> Option<()> {
        let opened = self.line;
        // Whether a token that ends like a name stands directly before this one.
        let mut was_name = false;
        let mut is_separated = false;
        loop {
            let kind = match self.peek() {
                None => {
                    self.problem_on(opened, "this value has no end: `}` or `)` is missing");
                    return None;
                }
                Some(Kind::Mark(mark)) if Some(mark) == end => {
                    self.next();
                    self.out.push(mark);
                    return Some(());
                }
                Some(Kind::Mark(';' | '}')) if end.is_none() => return Some(()),
                Some(Kind::Mark(';' | '{' | '}')) => {
                    self.problem("a `(` is not closed");
                    return None;
                }
                Some(kind) => kind,
            };
            self.next();
            let is_name = matches!(kind, Kind::Ident(_) | Kind::Number(_) | Kind::Hash(_) | Kind::Function(_));
            if is_separated && was_name && (is_name || kind == Kind::Mark('(')) {
                // Without its comment, `a/**/b` would be one name, and `url/**/(` a function.
                self.out.push_str("/**/");
            }
            is_separated = kind == Kind::Comment;
            was_name = is_name || (is_separated && was_name);
            self.part(kind, property, depth)?;
        }
    }

    fn part(&mut self, kind: Kind<'_>, property: &str, depth: usize) -> Option<()> {
        let said = match kind {
            Kind::Ident(_) | Kind::Number(_) | Kind::Hash(_) | Kind::Comment | Kind::Mark(',' | '+') => {
                self.write(kind);
                return Some(());
            }
            Kind::Space => {
                if !self.out.ends_with([' ', ':', '(', ',']) {
                    self.out.push(' ');
                }
                return Some(());
            }
            Kind::Mark(mark @ ('/' | '*')) => {
                // With spaces, so that two of them are never a comment.
                self.out.extend([' ', mark, ' ']);
                return Some(());
            }
            Kind::Mark('!') => {
                self.skip_space();
                match self.next() {
                    Some(Kind::Ident(word)) if word.eq_ignore_ascii_case("important") && depth == 0 => {
                        self.out.push_str("!important");
                        return Some(());
                    }
                    _ => "after `!` comes `important`".to_owned(),
                }
            }
            Kind::Function(name) if depth >= DEPTH_MAX => format!("`{name}()` is nested too deep"),
            Kind::Function(name) if allowed::is_function(name) => {
                self.write(kind);
                return self.value(property, Some(')'), depth + 1);
            }
            Kind::Function(name) => format!("the function `{name}()` is not possible"),
            Kind::Mark('(') if depth < DEPTH_MAX => {
                self.write(kind);
                return self.value(property, Some(')'), depth + 1);
            }
            Kind::Mark('[') if depth < DEPTH_MAX => {
                self.write(kind);
                return self.value(property, Some(']'), depth + 1);
            }
            Kind::Url(address) if allowed::is_picture(address) => {
                self.has_pictures = true;
                self.write(kind);
                return Some(());
            }
            Kind::Url(_) => {
                "an address is only possible for a picture inside of this file: `url(\"data:image/png;base64,…\")`"
                    .to_owned()
            }
            Kind::Text(text) if allowed::takes_text(property) && allowed::is_words(text) => {
                self.write(kind);
                return Some(());
            }
            Kind::Text(_) => format!("`{property}` takes no such text in quotes"),
            Kind::At(name) => format!("`@{name}` is not possible in a value"),
            Kind::Mark(mark) => format!("`{mark}` is not possible in a value"),
        };
        self.problem(said);
        None
    }

    /// Skips to the end of a declaration that cannot be used: after its `;`, or before the `}` of the rule.
    fn skip_declaration(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => return,
                Some(Kind::Mark('}')) if depth == 0 => return,
                Some(Kind::Mark(';')) if depth == 0 => return,
                Some(Kind::Mark('{')) => depth += 1,
                Some(Kind::Mark('}')) => depth -= 1,
                Some(_) => {}
            }
            self.next();
        }
    }
}
