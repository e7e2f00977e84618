//! A page that says one thing and has one link.

use askama::Template;

use crate::page::link::Link;
use crate::page::site::View;
use crate::page::text::Text;

/// "You are signed in", "You are signed out".
#[derive(Debug, Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice<'a> {
    pub(crate) view: View<'a>,
    pub(crate) title: Text,
    pub(crate) text: Text,
    pub(crate) link: Link,
}
