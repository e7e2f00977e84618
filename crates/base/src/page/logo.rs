//! The logo of a theme or of a provider, as a `data:` URI inside the page. So a page needs no second request, on any host and path.
//!
//! An SVG file can contain scripts and can load resources. It does neither here: the URI is only used in `<img src>` and
//! `<source srcset>`, where browsers show an SVG in "secure static mode" (SVG 2 §2.2.7), and `Content-Security-Policy` allows
//! no script.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Largest file of a logo. Each page contains it, one third larger.
pub const BYTES_MAX: usize = 32 * 1024;

/// An image that pages can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    uri: Arc<str>,
}

/// Why a file is not a logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The file is larger than [`BYTES_MAX`].
    #[error("the logo has {0} bytes, and at most {BYTES_MAX} are possible: each page contains it")]
    TooLarge(usize),
    /// The file has another format.
    #[error("the logo is no SVG, PNG, JPEG or WebP file")]
    Format,
}

impl Logo {
    /// Reads a file. The format is told by its first bytes.
    ///
    /// # Errors
    ///
    /// [`Unusable`].
    pub fn read(bytes: &[u8]) -> Result<Self, Unusable> {
        if bytes.len() > BYTES_MAX {
            return Err(Unusable::TooLarge(bytes.len()));
        }
        let media_type = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            "image/png"
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            "image/jpeg"
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            "image/webp"
        } else if is_svg(bytes) {
            "image/svg+xml"
        } else {
            return Err(Unusable::Format);
        };
        Ok(Self { uri: format!("data:{media_type};base64,{}", STANDARD.encode(bytes)).into() })
    }

    /// The media type and the file, if mail programs show the format. Many show neither SVG nor WebP.
    pub fn for_mail(&self) -> Option<(String, Vec<u8>)> {
        let (media_type, encoded) = self.uri.strip_prefix("data:")?.split_once(";base64,")?;
        let bytes = STANDARD.decode(encoded).ok()?;
        matches!(media_type, "image/png" | "image/jpeg").then(|| (media_type.to_owned(), bytes))
    }

    /// How much of a page the logo is, in bytes.
    pub fn bytes(&self) -> usize {
        self.uri.len()
    }

    /// The `data:` URI (RFC 2397).
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }
}

/// Whether the text begins as XML and has an `svg` element.
fn is_svg(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let begins = ["<svg", "<?xml", "<!--", "<!DOCTYPE svg"].iter().any(|start| text.starts_with(start));
        begins && text.contains("<svg")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_an_image_and_small() {
        let kind = |bytes: &[u8]| Logo::read(bytes).map(|logo| logo.uri.split(';').next().map(str::to_owned));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n..."), Ok(Some("data:image/png".to_owned())));
        assert_eq!(kind(b"\xff\xd8\xff\xe0..."), Ok(Some("data:image/jpeg".to_owned())));
        assert_eq!(kind(b"RIFF\x04\x00\x00\x00WEBPVP8 "), Ok(Some("data:image/webp".to_owned())));
        assert_eq!(kind(b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>"), Ok(Some("data:image/svg+xml".to_owned())));
        assert_eq!(kind(b"<!-- made by hand --><svg></svg>"), Ok(Some("data:image/svg+xml".to_owned())));
        for other in [
            &b"<html><svg/></html>"[..],
            b"<?xml version='1.0'?><html/>",
            b"GIF89a",
            b"RIFF....AVI ",
            b"RIFF",
            b"\xff<svg",
            b"",
        ] {
            assert_eq!(kind(other), Err(Unusable::Format), "{other:?}");
        }
        let large = [b"<svg>".to_vec(), vec![b' '; BYTES_MAX]].concat();
        assert_eq!(kind(&large), Err(Unusable::TooLarge(BYTES_MAX + 5)));
    }
}
