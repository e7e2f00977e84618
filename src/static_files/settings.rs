//! Validated settings of the action `static`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::HeaderValue;

/// A directory, and how it is served.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) directory: PathBuf,
    /// The part of the path that is not in the directory: empty, or `/docs`. Decoded.
    pub(crate) path_prefix: Box<str>,
    /// The files that answer for a directory, in order of preference.
    pub(crate) index: Vec<Box<str>>,
    /// The file that answers for pages that do not exist, with status 200.
    pub(crate) fallback: Option<Box<str>>,
    /// The file that answers for everything else that does not exist, with status 404.
    pub(crate) not_found: Option<Box<str>>,
    /// Whether names that begin with a dot are served.
    pub(crate) dotfiles: bool,
    /// Whether `NAME.br` and `NAME.gz` are sent in place of `NAME` to clients that accept them.
    pub(crate) precompressed: bool,
    /// By the extension in lower case. They come before the table of this room.
    pub(crate) content_types: BTreeMap<Box<str>, HeaderValue>,
    pub(crate) cache_control: HeaderValue,
}
