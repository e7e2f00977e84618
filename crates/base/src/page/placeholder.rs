//! Placeholders in texts: `{wait}` in `Try again in {wait}.`

use std::collections::BTreeSet;

/// A piece of a text as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'t> {
    Words(&'t str),
    Placeholder(&'t str),
}

/// The names of the placeholders of a text.
pub fn names(text: &str) -> BTreeSet<&str> {
    let name = |segment| match segment {
        Segment::Words(_) => None,
        Segment::Placeholder(name) => Some(name),
    };
    segments(text).filter_map(name).collect()
}

/// The pieces of a text. A brace that is not closed is a brace.
pub(crate) fn segments(text: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            rest = after;
            return Some(Segment::Placeholder(name));
        }
        // The brace at the start, if there is one, is not closed.
        let end = rest.char_indices().skip(1).find(|(_, letter)| *letter == '{').map_or(rest.len(), |(at, _)| at);
        let (words, after) = rest.split_at(end);
        rest = after;
        Some(Segment::Words(words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_placeholders() {
        let check = |text, expected: &[Segment<'_>]| assert_eq!(segments(text).collect::<Vec<_>>(), expected, "{text}");
        check("", &[]);
        check("Sign in", &[Segment::Words("Sign in")]);
        check("{a}{b}", &[Segment::Placeholder("a"), Segment::Placeholder("b")]);
        check("in {wait}.", &[Segment::Words("in "), Segment::Placeholder("wait"), Segment::Words(".")]);
        check("{open", &[Segment::Words("{open")]);
        check("ö{", &[Segment::Words("ö"), Segment::Words("{")]);
    }
}
