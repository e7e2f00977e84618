//! Pages for people: how they look, what they say, in which language, and the headers that they are sent with.
//!
//! `templates/` has the HTML. askama compiles it and escapes every value. `texts/` has what the pages say, one file for each
//! language. Nothing else in Vestibule writes HTML, and a test checks that. Each file of [`pages`] has one page as a struct.
//!
//! This room does not know why a page is shown: others fill the structs. Start at [`Pages`].

pub mod color;
pub mod css;
pub mod headers;
pub mod language;
pub mod link;
pub mod logo;
pub mod pages;
pub mod placeholder;
pub mod sentence;
pub mod settings;
pub mod site;
pub mod text;
pub mod translation;

/// The script of the pages with passkeys. No other page has one.
pub const PASSKEY_SCRIPT: &str = include_str!("passkey.js");

pub use language::Language;
pub use sentence::Sentence;
pub use site::{Pages, View};
pub use text::Text;

/// The stable code of a refusal, attached to the response for the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub &'static str);
