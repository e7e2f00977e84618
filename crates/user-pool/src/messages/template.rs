//! Texts with placeholders (pool §6.5).

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Words(&'t str),
    /// `{####}`: a code or temporary password.
    Secret,
    /// `{##words##}`: a link with these words.
    Link(&'t str),
    /// `{username}`
    Username,
    /// `{title}`: of the pool.
    Title,
    /// `{host}`: of the pool.
    Host,
    /// `{lifetime}`: of the code or temporary password.
    Lifetime,
}

/// The pieces of a template. What looks like no placeholder is words: HTML has braces as well.
pub(crate) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (piece, length) = placeholder(rest).unwrap_or_else(|| {
            let next =
                rest.char_indices().skip(1).find(|(at, letter)| *letter == '{' && placeholder(&rest[*at..]).is_some());
            let length = next.map_or(rest.len(), |(at, _)| at);
            (Piece::Words(&rest[..length]), length)
        });
        pieces.push(piece);
        rest = &rest[length..];
    }
    pieces
}

/// The placeholder at the start of a text, and its length.
fn placeholder(text: &str) -> Option<(Piece<'_>, usize)> {
    const FIXED: [(&str, Piece<'static>); 5] = [
        ("{####}", Piece::Secret),
        ("{username}", Piece::Username),
        ("{title}", Piece::Title),
        ("{host}", Piece::Host),
        ("{lifetime}", Piece::Lifetime),
    ];
    if let Some((name, piece)) = FIXED.into_iter().find(|(name, _)| text.starts_with(name)) {
        return Some((piece, name.len()));
    }
    let (words, _) = text.strip_prefix("{##")?.split_once("##}")?;
    (!words.is_empty() && !words.starts_with('#') && !words.contains(['{', '}', '\n']))
        .then(|| (Piece::Link(words), words.len() + 6))
}

/// The first thing in braces that could be a placeholder and is none: a typing error.
pub(crate) fn unknown(template: &str) -> Option<&str> {
    pieces(template).into_iter().find_map(|piece| {
        let Piece::Words(words) = piece else { return None };
        words.match_indices('{').find_map(|(at, _)| {
            let (name, _) = words[at + 1..].split_once('}')?;
            let is_name = |letter: char| letter.is_ascii_lowercase() || matches!(letter, '_' | '#');
            (!name.is_empty() && name.chars().all(is_name)).then_some(name)
        })
    })
}

#[cfg(test)]
mod tests;
