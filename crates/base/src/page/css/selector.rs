//! Selectors.

use crate::page::css::reader::{DEPTH_MAX, Reader};
use crate::page::css::token::Kind;
use crate::page::css::{alias, allowed};

impl Reader<'_> {
    /// The selectors of a rule, up to and with the `{`. Whether they can be used.
    pub(super) fn selectors(&mut self) -> bool {
        self.selector_list('{', 0).is_some()
    }

    /// Selectors up to and with `end`, which is not written.
    fn selector_list(&mut self, end: char, depth: usize) -> Option<()> {
        let mut is_empty = true;
        loop {
            let had_space = self.skip_space();
            match self.peek() {
                Some(Kind::Mark(mark)) if mark == end && !is_empty => {
                    self.next();
                    return Some(());
                }
                Some(Kind::Mark(mark @ (',' | '>' | '+' | '~'))) if !is_empty => {
                    self.next();
                    self.out.push(mark);
                    is_empty = true;
                }
                _ => {
                    if had_space && !is_empty {
                        self.out.push(' ');
                    }
                    // `.a/**/b` and `]b` are no selectors.
                    if !had_space && !is_empty && matches!(self.peek(), Some(Kind::Ident(_))) {
                        self.problem("this is no selector");
                        return None;
                    }
                    self.simple(depth)?;
                    is_empty = false;
                }
            }
        }
    }

    /// One part of a selector: `.button`, `:hover`.
    fn simple(&mut self, depth: usize) -> Option<()> {
        let said = match self.next() {
            Some(Kind::Mark('*')) => {
                self.out.push('*');
                return Some(());
            }
            Some(kind @ (Kind::Ident(_) | Kind::Hash(_))) => {
                self.write(kind);
                return Some(());
            }
            Some(Kind::Mark('.')) => match self.next() {
                Some(Kind::Ident(name)) => {
                    match alias::of(name) {
                        Some(ours) => self.push("", ours, ""),
                        None => self.push(".", name, ""),
                    }
                    return Some(());
                }
                _ => "the name of a class is missing after `.`".to_owned(),
            },
            Some(Kind::Mark(':')) => return self.pseudo(depth),
            Some(Kind::Mark('[')) => return self.attribute(),
            None => "there is no `{` after this selector".to_owned(),
            Some(Kind::At(name)) => format!("`@{name}` is not possible in a selector"),
            Some(Kind::Mark(mark)) => format!("`{mark}` is not possible here in a selector"),
            Some(_) => "this is no selector".to_owned(),
        };
        self.problem(said);
        None
    }

    fn pseudo(&mut self, depth: usize) -> Option<()> {
        let is_element = self.peek() == Some(Kind::Mark(':'));
        if is_element {
            self.next();
        }
        let said = match self.next() {
            Some(Kind::Ident(name)) if is_element && allowed::is_pseudo_element(name) => {
                self.push("::", name, "");
                return Some(());
            }
            Some(Kind::Ident(name)) if !is_element && allowed::is_pseudo_class(name) => {
                self.push(":", name, "");
                return Some(());
            }
            Some(Kind::Function(name)) if !is_element && allowed::takes_selectors(name) && depth < DEPTH_MAX => {
                self.push(":", name, "(");
                self.selector_list(')', depth + 1)?;
                self.out.push(')');
                return Some(());
            }
            Some(Kind::Function(name)) if !is_element && allowed::takes_nth(name) => {
                self.push(":", name, "(");
                return self.nth();
            }
            Some(Kind::Ident(name) | Kind::Function(name)) => format!("`:{name}` is not possible in a selector"),
            _ => "a name is missing after `:`".to_owned(),
        };
        self.problem(said);
        None
    }

    /// `2n+1)`, `odd)`.
    fn nth(&mut self) -> Option<()> {
        loop {
            match self.next() {
                Some(Kind::Mark(')')) => {
                    self.out.push(')');
                    return Some(());
                }
                Some(kind @ (Kind::Number(_) | Kind::Space | Kind::Mark('+'))) => self.write(kind),
                Some(kind @ Kind::Ident(word))
                    if ["odd", "even", "n", "-n", "n-"].iter().any(|known| known.eq_ignore_ascii_case(word)) =>
                {
                    self.write(kind);
                }
                _ => {
                    self.problem("this cannot be read: write `:nth-child(2n+1)`");
                    return None;
                }
            }
        }
    }

    /// `[type="email"]`, after the `[`.
    fn attribute(&mut self) -> Option<()> {
        let mut parts = [None; 4];
        for part in &mut parts {
            self.skip_space();
            *part = self.next();
            if *part == Some(Kind::Mark(']')) {
                break;
            }
        }
        let end = Some(Kind::Mark(']'));
        match parts {
            [Some(Kind::Ident(name)), last, None, None] if last == end && allowed::is_attribute(name) => {
                self.push("[", name, "]");
            }
            [Some(Kind::Ident(name)), Some(Kind::Mark('=')), Some(Kind::Ident(value) | Kind::Text(value)), last]
                if last == end && allowed::is_attribute(name) && allowed::is_words(value) =>
            {
                self.push("[", name, "=\"");
                self.push("", value, "\"]");
            }
            _ => {
                self.problem(
                    "a selector may ask for `type`, `name`, `autocomplete`, `lang` and `dir`: `[type=\"email\"]`",
                );
                return None;
            }
        }
        Some(())
    }
}
