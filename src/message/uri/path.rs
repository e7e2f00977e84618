//! How a path is read, and in which other ways a target could read the same bytes.
//!
//! The one reading decodes each segment once, merges empty segments and leaves `%2F` as three ordinary characters. Rules
//! match it. A target may decode nothing, keep empty segments, take `%2F` for a slash, or decode before it looks for `;`, `?`
//! and `#`: [`Reading`] lists what it would see then, so that whoever finds the rule can ask whether all of them lead to the
//! same one.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::message::uri::Error;

/// A path that is not read letter for letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// What rules match: decoded, without path parameters, empty segments merged, `%2F` as it is.
    pub(super) decoded: String,
    /// The same path encoded in one way, with its parameters.
    pub(super) encoded: String,
    pub(super) has_parameters: bool,
    pub(super) has_encoded_slash: bool,
    /// What targets see that take `%2F` for a slash.
    pub(super) with_slashes_decoded: Vec<String>,
    /// What targets see that decode a path and then cut off path parameters, a query or a fragment, also where they take
    /// `%2F` for a slash. Empty without `%3B`, `%3F` and `%23`.
    pub(super) with_ends_cut: Vec<String>,
    /// What targets see that decode nothing, or keep empty segments.
    pub(super) otherwise: Vec<String>,
}

/// Whether the path is read letter for letter, and in no other way. Nearly all are, and they are not copied.
pub(super) fn is_plain(path: &str) -> bool {
    let mut previous = 0;
    for byte in path.bytes() {
        let plain = match byte {
            b'/' | b'.' => previous != b'/' || byte == b'.',
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => true,
            _ => false,
        };
        // A segment that begins with a dot takes the long way, where dot segments are refused.
        if !plain || (byte == b'.' && previous == b'/') {
            return false;
        }
        previous = byte;
    }
    true
}

/// Octets that a path segment carries only encoded: RFC 3986 §3.3 without `pchar`; `;` is handled apart.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'/')
    .add(b';');

impl Reading {
    /// Reads a path that begins with a slash.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub(super) fn of(path: &str) -> Result<Self, Error> {
        let mut this = Self::default();
        // As targets see it that keep empty segments; that decode nothing; that take `%2F` for a slash.
        let (mut unmerged, mut literal, mut slashes) = (String::new(), String::new(), String::new());
        let mut has_encoded_end = false;
        let mut segments = path.trim_start_matches('/').split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            let (name, parameters) = match segment.split_once(';') {
                // Only on the last segment, and never instead of a name: `/a;x/b` and `/;x` are read in two ways (P-08, P-09).
                Some((name, parameters)) if is_last && !name.is_empty() => (name, Some(parameters)),
                Some(_) => return Err(Error::Parameters),
                None => (segment, None),
            };
            for text in [&mut unmerged, &mut literal, &mut slashes] {
                text.push('/');
            }
            literal.push_str(name);
            // Empty segments in between are merged (attacks P-14); one at the end says "directory" and stays.
            let is_merged = segment.is_empty() && !is_last;
            if !is_merged {
                this.decoded.push('/');
                this.encoded.push('/');
            }
            let begin = unmerged.len();
            this.segment(name, &mut unmerged, &mut slashes)?;
            // The name has none of these of its own, so each one in the decoded segment was encoded.
            has_encoded_end |= unmerged[begin..].contains(ENDS);
            if let Some(parameters) = parameters {
                this.has_parameters = true;
                this.encoded.push(';');
                this.encoded.extend(utf8_percent_encode(&decode(parameters)?, SEGMENT));
            }
        }
        if has_encoded_end {
            this.with_ends_cut = cuts(&unmerged);
            if this.has_encoded_slash {
                this.with_ends_cut.extend(cuts(&slashes));
            }
        }
        if this.has_encoded_slash {
            this.with_slashes_decoded = vec![merged(&slashes), slashes];
        }
        this.otherwise = vec![merged(&literal), unmerged, literal];
        this.otherwise.retain(|path| *path != this.decoded);
        this.otherwise.dedup();
        Ok(this)
    }

    /// Reads one segment without its parameters.
    fn segment(&mut self, name: &str, unmerged: &mut String, slashes: &mut String) -> Result<(), Error> {
        for (index, piece) in between_encoded_slashes(name).enumerate() {
            if index > 0 {
                self.has_encoded_slash = true;
                self.decoded.push_str("%2F");
                self.encoded.push_str("%2F");
                unmerged.push_str("%2F");
                slashes.push('/');
            }
            let piece = decode(piece)?;
            // `..%3Bx` too: a server that decodes before it looks for parameters sees `..;x`.
            if matches!(piece.split(ENDS).next(), Some("." | "..")) {
                return Err(Error::DotSegment);
            }
            self.encoded.extend(utf8_percent_encode(&piece, SEGMENT));
            for text in [&mut self.decoded, &mut *unmerged, &mut *slashes] {
                text.push_str(&piece);
            }
        }
        Ok(())
    }
}

/// What ends a segment (`;`) or the path (`?`, `#`) for whoever decodes first.
const ENDS: [char; 3] = [';', '?', '#'];

/// The decoded path without its query and fragment, without the parameters of its segments, and without both.
fn cuts(path: &str) -> Vec<String> {
    let bare = |path: &str| {
        let names = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
        names.collect::<Vec<_>>().join("/")
    };
    let resource = path.split(['?', '#']).next().unwrap_or_default();
    let cut = [bare(path), resource.to_owned(), bare(resource)];
    cut.into_iter().flat_map(|path| [merged(&path), path]).collect()
}

/// The parts of a segment between encoded slashes (`%2F`, `%2f`).
fn between_encoded_slashes(segment: &str) -> impl Iterator<Item = &str> {
    segment.split("%2F").flat_map(|part| part.split("%2f"))
}

/// The path without empty segments, but for one at the end.
pub(super) fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    merged
}

/// Decodes once what is percent-encoded, and refuses what servers read in different ways.
fn decode(text: &str) -> Result<Cow<'_, str>, Error> {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' | b'#' => return Err(Error::Character),
            b'%' => {
                let octet = [rest.next(), rest.next()];
                if !octet.iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())) {
                    return Err(Error::Encoding);
                }
            }
            _ => {}
        }
    }
    // Overlong forms and surrogates are not UTF-8 (`%c0%ae`).
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Error::Encoding)?;
    if decoded.contains(|c: char| c.is_control() || c == '/' || c == '\\') {
        return Err(Error::Character);
    }
    Ok(decoded)
}
