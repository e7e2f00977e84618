//! The paths that `<Location>`, `ProxyPass` and `Redirect` are about. Apache merges all sections that a path is in, so each set of paths has to
//! be within another, or apart from it. A set of which this is not known closes its rule.

use crate::import::apache::access::literal;
use crate::import::expression;
use crate::import::yaml::Map;

/// An expression that Apache and we could read in two ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) why: String,
    /// All paths that it can be about.
    pub(super) within: Paths,
}

/// A set of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// `/a` and everything below it. With a slash at the end, only what is below it.
    Below(String),
    /// All that begin with this text.
    Begin(String),
    One(String),
    /// Those of a regular expression for the whole path, which begin with a text.
    Expression {
        regex: String,
        begin: String,
    },
}

impl Paths {
    /// The paths of `<Location "/a">`, `ProxyPass /a` and `Redirect /a`.
    pub(super) fn location(text: &str) -> Result<Self, String> {
        // Neither Apache nor we see such a path, whatever a client sends.
        let is_strange = text.contains("//") || text.split('/').any(|part| matches!(part, "." | ".."));
        if !text.starts_with('/') || is_strange || text.contains(['*', '?', '[', '\\', ';', '%']) || !text.is_ascii() {
            return Err(format!("the paths of `{text}` cannot be carried over"));
        }
        Ok(Self::Below(text.to_owned()))
    }

    /// The paths of `<LocationMatch>`, whose expression may match a part of the path.
    ///
    /// # Errors
    ///
    /// It is not known which paths these are.
    pub(super) fn expression(regex: &str) -> Result<Self, Unread> {
        let body = regex.strip_prefix('^').filter(|body| body.is_ascii());
        let ended = |end: &str| {
            body.and_then(|body| body.strip_suffix(end)).and_then(literal).filter(|text| text.starts_with('/'))
        };
        if let Some(text) = ["(/|$)", "(?:/|$)", "(/.*)?$"].iter().find_map(|end| ended(end)) {
            return Self::location(&text).or_else(|_| Self::whole(regex));
        }
        if let Some(text) = ended("$") {
            return Ok(Self::One(text));
        }
        match ["(.*)$", ".*$", "(.*)", ".*", ""].iter().find_map(|end| ended(end)) {
            Some(text) if text.ends_with('/') => Ok(Self::location(&text).unwrap_or(Self::Begin(text))),
            Some(text) => Ok(Self::Begin(text)),
            None => Self::whole(regex),
        }
    }

    fn whole(regex: &str) -> Result<Self, Unread> {
        // What is between `^` and the first sign that could be an operator, without the letter that it could be about.
        let begin = regex.strip_prefix('^').filter(|_| !regex.contains('|')).map_or("", |body| {
            let end = body.find(|letter: char| !(letter.is_ascii_alphanumeric() || "/-_~".contains(letter)));
            match end {
                None => body,
                Some(end) if body[end..].starts_with(['*', '?', '{']) => &body[..end.saturating_sub(1)],
                Some(end) => &body[..end],
            }
        });
        let begin = if begin.starts_with('/') { begin } else { "/" };
        if let Err(why) = expression::check_for_pcre(regex) {
            let why = format!("the expression `{regex}` cannot be carried over: {why}");
            return Err(Unread { why, within: Self::Begin(begin.to_owned()) });
        }
        // Apache looks for it anywhere in the path. Each alternative may have anchors of its own, which hold within this, too.
        Ok(Self::Expression { regex: format!(".*(?:{regex}).*"), begin: begin.to_owned() })
    }

    /// The text that all of them begin with.
    fn begin(&self) -> &str {
        match self {
            Self::Below(text) | Self::Begin(text) | Self::One(text) | Self::Expression { begin: text, .. } => text,
        }
    }

    /// Whether it has all paths.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::Below(text) | Self::Begin(text) if text == "/")
    }

    fn has(&self, path: &str) -> Option<bool> {
        match self {
            Self::Below(text) => Some(match path.strip_prefix(text.as_str()) {
                Some(rest) => rest.is_empty() || text.ends_with('/') || rest.starts_with('/'),
                None => false,
            }),
            Self::Begin(text) => Some(path.starts_with(text)),
            Self::One(text) => Some(path == text),
            Self::Expression { .. } => None,
        }
    }

    /// Whether all paths of the other are in this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self == other || self.is_all() {
            return true;
        }
        let begin = other.begin();
        match self {
            Self::Below(text) if matches!(other, Self::Begin(_) | Self::Expression { .. }) => {
                let folder = format!("{}/", text.trim_end_matches('/'));
                begin.starts_with(&folder)
            }
            Self::Below(_) | Self::Begin(_) => self.has(begin) == Some(true),
            Self::One(_) | Self::Expression { .. } => false,
        }
    }

    /// Whether no path is in both.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        let (mine, its) = (self.begin(), other.begin());
        match (self, other) {
            (_, Self::One(path)) if self.has(path).is_some() => self.has(path) == Some(false),
            (Self::One(path), _) if other.has(path).is_some() => other.has(path) == Some(false),
            // `/a` and what begins with `/ab`.
            (Self::Below(_), _) if its.len() > mine.len() => self.has(its) == Some(false),
            (_, Self::Below(_)) if mine.len() > its.len() => other.has(mine) == Some(false),
            _ => !mine.starts_with(its) && !its.starts_with(mine),
        }
    }

    /// Whether it is known which paths are in both.
    pub(super) fn is_clear_of(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self) || self.is_apart_from(other)
    }

    /// Whether a file of this name can be in it that is in a directory which is not.
    pub(super) fn could_be_a_file(&self, name: &str) -> bool {
        let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
        match self {
            Self::Expression { .. } => true,
            Self::Below(text) | Self::One(text) => last(text) == name,
            Self::Begin(text) => !last(text).is_empty() && name.starts_with(&last(text)),
        }
    }

    /// Whether rules take `/a;x` for the path `/a`, which Apache does not have in it: parameters of the last segment are left out.
    pub(super) fn takes_parameters(&self) -> bool {
        match self {
            Self::Below(text) => !text.ends_with('/'),
            Self::One(_) | Self::Expression { .. } => true,
            Self::Begin(_) => false,
        }
    }

    /// For a name, or a message.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Below(text) | Self::Begin(text) | Self::One(text) => text.clone(),
            Self::Expression { begin, .. } => format!("{begin}-expression"),
        }
    }

    /// The condition of a rule. `None` if it has all paths.
    pub(super) fn condition(&self) -> Option<Map> {
        let patterns = match self {
            _ if self.is_all() => return None,
            Self::Below(text) if text.ends_with('/') => vec![escaped(text) + "*"],
            Self::Below(text) => vec![escaped(text), escaped(text) + "/*"],
            Self::Begin(text) => vec![escaped(text) + "*"],
            Self::One(text) => vec![escaped(text)],
            Self::Expression { regex, .. } => {
                let values = Map::default().with("regex_values", std::slice::from_ref(regex));
                return Some(Map::default().with("path_pattern", values));
            }
        };
        Some(Map::default().with("path_pattern", &patterns[..]))
    }

    /// In this order, each set comes before those that it is within.
    pub(super) fn order(&self) -> (std::cmp::Reverse<usize>, u8) {
        let kind = match self {
            Self::Expression { .. } => 0,
            Self::One(_) => 1,
            Self::Below(_) => 2,
            Self::Begin(_) => 3,
        };
        (std::cmp::Reverse(if kind == 0 { usize::MAX } else { self.begin().len() }), kind)
    }
}

/// The text as a pattern that matches only itself.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(text: &str) -> Paths {
        Paths::location(text).unwrap()
    }

    fn expression(regex: &str) -> Paths {
        Paths::expression(regex).unwrap()
    }

    #[test]
    fn sets_of_paths_are_within_each_other_or_apart() {
        let begin = |text: &str| Paths::Begin(text.to_owned());
        let one = |text: &str| Paths::One(text.to_owned());
        for (outer, inner) in [
            (below("/"), begin("/a")),
            (below("/a"), below("/a/")),
            (below("/a"), below("/a/b")),
            (below("/a/"), below("/a/b")),
            (below("/a"), one("/a")),
            (begin("/a"), below("/a")),
            (begin("/a"), below("/ab")),
            (below("/a"), expression("^/a/[0-9]+$")),
        ] {
            assert!(outer.covers(&inner) && !inner.covers(&outer), "{outer:?} {inner:?}");
            assert!(!outer.is_apart_from(&inner) && !inner.is_apart_from(&outer), "{outer:?} {inner:?}");
            assert!(inner.order() < outer.order(), "{inner:?} {outer:?}");
        }
        for (one, other) in [
            (below("/a"), below("/ab")),
            (below("/a"), begin("/ab")),
            (below("/a/"), one("/a")),
            (below("/a"), below("/b")),
            (one("/a"), one("/ab")),
            (below("/b"), expression("^/a.*x$")),
        ] {
            assert!(one.is_apart_from(&other) && other.is_apart_from(&one), "{one:?} {other:?}");
            assert!(!one.covers(&other) && !other.covers(&one), "{one:?} {other:?}");
        }
        for (one, other) in [
            (below("/a"), expression("\\.css$")),
            (below("/a"), expression("^/a[b/]")),
            (below("/admin"), expression("^/a.*\\.css$")),
            (below("/admin"), expression("^/(admin|b)/")),
            (below("/admin"), expression("^/adminx*/")),
            (one("/a"), expression("^/[a]$")),
        ] {
            assert!(!one.is_clear_of(&other) && !other.is_clear_of(&one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn expressions_for_simple_sets_are_read() {
        for (regex, expected) in [
            ("^/a$", Paths::One("/a".to_owned())),
            ("^/a\\.b$", Paths::One("/a.b".to_owned())),
            ("^/a(/|$)", below("/a")),
            ("^/a(/.*)?$", below("/a")),
            ("^/a/", below("/a/")),
            ("^/a/.*$", below("/a/")),
            ("^/a", Paths::Begin("/a".to_owned())),
            ("^/", below("/")),
        ] {
            assert_eq!(expression(regex), expected, "{regex}");
        }
        // A dot is any character, so it is no text.
        let Paths::Expression { regex, begin } = expression("^/a.b$") else { panic!("an expression") };
        assert_eq!((regex.as_str(), begin.as_str()), (".*(?:^/a.b$).*", "/a"));
        assert_eq!(expression("/a"), Paths::Expression { regex: ".*(?:/a).*".to_owned(), begin: "/".to_owned() });
        for none in ["a", "/a/*", "/a?", "/a/../b", "//a", "/%61", "/a;b", "/[a]"] {
            assert!(Paths::location(none).is_err(), "{none}");
        }
    }
}
