//! Validated settings of the action `static`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::HeaderValue;

/// A directory, and how it is served.
#[derive(Clone, Debug)]
pub struct Settings {
    pub directory: PathBuf,
    /// The part of the path that is not in the directory: empty, or `/docs`. Decoded.
    pub path_prefix: Box<str>,
    /// The files that answer for a directory, in order of preference.
    pub index: Vec<Box<str>>,
    /// The file that answers for pages that do not exist, with status 200.
    pub fallback: Option<Box<str>>,
    /// The file that answers for everything else that does not exist, with status 404.
    pub not_found: Option<Box<str>>,
    /// Whether names that begin with a dot are served.
    pub dotfiles: bool,
    /// Whether `NAME.br` and `NAME.gz` are sent in place of `NAME` to clients that accept them.
    pub precompressed: bool,
    /// By the extension in lower case. They come before the table of this room.
    pub content_types: BTreeMap<Box<str>, HeaderValue>,
    pub cache_control: HeaderValue,
}
