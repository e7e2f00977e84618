//! `pages`: the theme of Vestibule's own pages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::page::logo;

/// How Vestibule's own pages look and what they say: sign-in pages, error pages, sign-out pages. A user pool can have a look of its own, and so
/// can each of its `clients`. What the pool does not set is as in `pages` of the file; what a client does not set is as in its pool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pages {
    /// The name of the organisation or site. It is shown on every page, and is the text of the logo for screen readers.
    pub(crate) title: Option<String>,
    /// The logo: an SVG, PNG, JPEG or WebP file. It is shown at most 48 pixels high. Every page contains it.
    #[schemars(extend("x-bound" = format!("The file has at most {} KiB.", logo::BYTES_MAX / 1024)))]
    pub(crate) logo: Option<String>,
    /// The logo for users whose system is set to dark. Without it, they see `logo`. It goes with `logo`: where
    /// one of the two is set, neither is taken from elsewhere.
    pub(crate) logo_dark: Option<String>,
    /// Colours.
    pub(crate) colors: Option<Colors>,
    /// Colours for users whose system is set to dark.
    pub(crate) colors_dark: Option<Colors>,
    /// Which colours visitors get. `system`: those for light or for dark, as their system is set. `light`: those for light, for everybody.
    pub(crate) color_scheme: Option<ColorScheme>,
    /// Links at the end of every page.
    pub(crate) links: Option<PageLinks>,
    /// A file with CSS, of at most 128 KiB. Only for the pages of a user pool and of its clients. It may set the look of elements, in `@media`
    /// blocks, too. It cannot load anything: pictures are possible as `url("data:image/png;base64,…")`. The class names of Amazon Cognito
    /// (`submitButton-customizable`) work. `vestibule check` says with the line what is not possible.
    pub(crate) css: Option<String>,
    /// Files with other texts, by language: `{ de: texts/de.yaml }`. A file has a key and a text in each line, and needs only the
    /// texts that differ. A language that is not built in needs all of them. `vestibule texts` prints all of them in English,
    /// and `vestibule texts de` in German.
    #[serde(default)]
    pub(crate) texts: BTreeMap<String, String>,
}

/// Which colour schemes pages have.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColorScheme {
    /// Light or dark, as the visitor's system is set.
    System,
    /// Light for everybody.
    Light,
}

/// Links at the end of every page. Each is an address with `https`, or an e-mail address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageLinks {
    /// The terms of use.
    pub(crate) terms: Option<String>,
    /// What you say about privacy.
    pub(crate) privacy: Option<String>,
    /// Where users get help.
    pub(crate) help: Option<String>,
}

/// Colours, in quotes: `"#1d4ed8"` or `"#fff"`. What is not set keeps its colour.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Colors {
    /// Around the card.
    pub(crate) background: Option<String>,
    /// The card.
    pub(crate) surface: Option<String>,
    /// Text.
    pub(crate) text: Option<String>,
    /// Text that matters less.
    pub(crate) muted: Option<String>,
    /// The line around the card.
    pub(crate) border: Option<String>,
    /// The line around a field.
    pub(crate) field: Option<String>,
    /// Buttons and links.
    pub(crate) accent: Option<String>,
    /// The text on a button.
    pub(crate) on_accent: Option<String>,
    /// The bar beside an error.
    pub(crate) alert: Option<String>,
    /// Behind the text of an error.
    pub(crate) alert_background: Option<String>,
}
