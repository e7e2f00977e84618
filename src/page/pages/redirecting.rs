//! A page that redirects without a script.

use askama::Template;

use crate::page::site::View;
use crate::page::text::Text;

/// Redirects at once, and has a link for browsers that do not follow.
#[derive(Debug, Template)]
#[template(path = "redirecting.html")]
pub(crate) struct Redirecting<'a> {
    pub(crate) view: View<'a>,
    pub(crate) location: &'a str,
}
