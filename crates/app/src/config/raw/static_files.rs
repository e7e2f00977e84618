//! `static`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// `static`: GET and HEAD answer with a file of the directory, with conditions (`If-None-Match`, …) and ranges.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "root": "use `directory`",
    "path": "use `directory`",
    "dir": "use `directory`",
    "spa": "use `fallback: /index.html`",
    "try_files": "use `fallback: /index.html`",
    "error_page": "use `not_found`",
    "strip_prefix": "use `path_prefix`",
    "listing": "there are no listings",
    "autoindex": "there are no listings",
}))]
pub(crate) struct Static {
    /// The directory, absolute or relative to the configuration file. It is opened anew for each request, so files, a new directory of that name and a
    /// symbolic link that leads elsewhere are seen at once, without a reload. Everything below it is served, except names that begin
    /// with a dot. So no file that this configuration reads or writes may be in it.
    pub(crate) directory: String,
    /// The part of the path that is not in the directory: with `/docs`, a request for `/docs/a.html` is answered with `a.html`. Paths that
    /// do not begin with it are answered 404. Without it, the whole path is the name below the directory.
    pub(crate) path_prefix: Option<String>,
    /// The files that answer for a directory, in order of preference. A path without a slash at its end is redirected to the one with it.
    #[serde(default = "index")]
    pub(crate) index: List<String>,
    /// The file that answers, with status 200, for a page that does not exist: for applications that read the path in the browser (single-page
    /// applications). Only for requests that name `text/html` in `Accept`, as browsers do that load a page; a script or an image that does not
    /// exist is answered 404. Example: `/index.html`.
    pub(crate) fallback: Option<String>,
    /// The file that answers, with status 404, for everything else that does not exist. Without it, a page of Vestibule does. Example: `404.html`.
    pub(crate) not_found: Option<String>,
    /// Whether files and directories are served whose names begin with a dot: `.git`, `.env`. `.well-known` at the top always is.
    #[serde(default)]
    pub(crate) dotfiles: bool,
    /// Whether `NAME.br` and `NAME.gz` are sent in place of `NAME` to clients that accept Brotli and gzip. A copy that is older than
    /// `NAME` is not sent. Nothing is compressed here.
    #[serde(default)]
    pub(crate) precompressed: bool,
    /// The `Content-Type` of more extensions, or another one than usual: `{ wat: text/plain, txt: "text/plain; charset=iso-8859-1" }`. Files with an
    /// unknown extension are `application/octet-stream`, which browsers download.
    #[serde(default)]
    pub(crate) content_types: BTreeMap<String, String>,
    /// `Cache-Control` of the answers. Without it, `no-cache`: the browser keeps files, and asks each time whether they have changed. Behind an
    /// action that authenticates, `private` is added, so that no shared cache keeps them, and `public` is refused. For files whose names change with their
    /// content, write a rule of their own with `max-age=31536000, immutable`.
    pub(crate) cache_control: Option<String>,
}

fn index() -> List<String> {
    List::of(["index.html".to_owned()])
}
