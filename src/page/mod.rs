//! Pages for people: how they look, what they say, in which language, and the headers that they are sent with.
//!
//! `templates/` has the HTML. askama compiles it and escapes every value. `texts/` has what the pages say, one file for each
//! language. Nothing else in Vestibule writes HTML, and a test checks that. Each file of [`pages`] has one page as a struct.
//!
//! This room does not know why a page is shown: others fill the structs. Start at [`Pages`].

pub(crate) mod color;
pub(crate) mod css;
pub(crate) mod headers;
pub(crate) mod language;
pub(crate) mod link;
pub(crate) mod logo;
pub(crate) mod pages;
pub(crate) mod placeholder;
pub(crate) mod sentence;
pub(crate) mod settings;
pub(crate) mod site;
pub(crate) mod text;
pub(crate) mod translation;

/// The script of the pages with passkeys. No other page has one.
pub(crate) const PASSKEY_SCRIPT: &str = include_str!("passkey.js");

pub(crate) use language::Language;
pub(crate) use sentence::Sentence;
pub(crate) use site::{Pages, View};
pub(crate) use text::Text;

/// The stable code of a refusal, attached to the response for the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) &'static str);
