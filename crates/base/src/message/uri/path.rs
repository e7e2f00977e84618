//! Decodes a path, and lists the other ways in which a target could read the same bytes.
//!
//! Vestibule decodes each segment once, merges empty segments and keeps `%2F` as three ordinary characters. Rules match the
//! result. A target may decode nothing, keep empty segments, decode `%2F` as a slash, or decode before it looks for `;`, `?`
//! and `#`. [`Reading`] lists the paths that such targets see. The code that finds the rule then checks that all of them
//! lead to the same rule.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::message::uri::error::Error;

/// A path whose decoded form may differ from its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// The path that rules match: decoded, without path parameters, with empty segments merged. `%2F` is not decoded.
    pub(super) decoded: String,
    /// The same path in its canonical encoding, with its parameters.
    pub(super) encoded: String,
    pub(super) has_parameters: bool,
    pub(super) has_encoded_slash: bool,
    /// The paths that targets see if they decode `%2F` as a slash.
    pub(super) with_slashes_decoded: Vec<String>,
    /// The paths that targets see if they decode a path and then cut off path parameters, a query or a fragment, also if they
    /// decode `%2F` as a slash. Empty if the path has no `%3B`, `%3F` or `%23`.
    pub(super) with_ends_cut: Vec<String>,
    /// The paths that targets see if they decode nothing, or keep empty segments.
    pub(super) otherwise: Vec<String>,
}

/// Whether every server reads the path exactly as it is written. Nearly all paths are like that, and they are not copied.
pub(super) fn is_plain(path: &str) -> bool {
    let mut previous = 0;
    for byte in path.bytes() {
        let plain = match byte {
            b'/' | b'.' => previous != b'/' || byte == b'.',
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => true,
            _ => false,
        };
        // A segment that begins with a dot is not plain. `Reading::of` then refuses dot segments.
        if !plain || (byte == b'.' && previous == b'/') {
            return false;
        }
        previous = byte;
    }
    true
}

/// Octets that must be encoded in a path segment: all except `pchar` of RFC 3986 §3.3. `;` is handled separately.
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
    /// Decodes a path that begins with a slash.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub(super) fn of(path: &str) -> Result<Self, Error> {
        let mut this = Self::default();
        // The path for targets that keep empty segments, that decode nothing, and that decode `%2F` as a slash.
        let (mut unmerged, mut literal, mut slashes) = (String::new(), String::new(), String::new());
        let mut has_encoded_end = false;
        let mut segments = path.trim_start_matches('/').split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            let (name, parameters) = match segment.split_once(';') {
                // Parameters are allowed only on the last segment and after a name. Servers disagree about `/a;x/b` and `/;x`
                // (P-08, P-09).
                Some((name, parameters)) if is_last && !name.is_empty() => (name, Some(parameters)),
                Some(_) => return Err(Error::Parameters),
                None => (segment, None),
            };
            for text in [&mut unmerged, &mut literal, &mut slashes] {
                text.push('/');
            }
            literal.push_str(name);
            // Empty segments in the middle are merged (attacks P-14). An empty segment at the end means "directory" and is kept.
            let is_merged = segment.is_empty() && !is_last;
            if !is_merged {
                this.decoded.push('/');
                this.encoded.push('/');
            }
            let begin = unmerged.len();
            this.segment(name, &mut unmerged, &mut slashes)?;
            // The undecoded name has none of these characters, so each one in the decoded segment was encoded.
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

    /// Decodes one segment without its parameters.
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
            // `..%3Bx` is refused too: a server that decodes before it looks for parameters sees `..;x`.
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

/// Characters that end a segment (`;`) or the path (`?`, `#`) for servers that decode first.
const ENDS: [char; 3] = [';', '?', '#'];

/// Three forms of the decoded path: without query and fragment, without the parameters of its segments, and without both.
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

/// The path without empty segments, except one at the end.
pub(super) fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    merged
}

/// Percent-decodes once, and refuses text that servers read in different ways.
fn decode(text: &str) -> Result<Cow<'_, str>, Error> {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => return Err(Error::Character),
            b'#' => return Err(Error::Fragment),
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
