//! The page for a request that is refused.

use askama::Template;

use crate::page::link::Link;
use crate::page::sentence::Sentence;
use crate::page::site::View;
use crate::page::text::Text;

/// Says why a request is refused, and how to go on.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub(crate) struct Refused<'a> {
    pub(crate) view: View<'a>,
    pub(crate) status: u16,
    /// The stable code of the reason, which also selects the texts.
    pub(crate) code: &'a str,
    /// Sentences below the advice.
    pub(crate) notes: &'a [Sentence],
    /// The first link is shown as a button.
    pub(crate) links: &'a [Link],
    /// The ID of the request. The operator finds it in the access log.
    pub(crate) request_id: Option<&'a str>,
}
