//! What all pages of one configuration share, made at load: the style, its hash, the logo and the texts.

use askama::Template;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::message::WholeResponse;
use crate::page::color;
use crate::page::css::Stylesheet;
use crate::page::headers::{Frames, harden};
use crate::page::language::{self, Language};
use crate::page::sentence::{Part, Sentence};
use crate::page::settings::{Links, Settings};
use crate::page::text::Text;
use crate::page::translation::{ReasonTexts, Translation};

/// The stylesheet: one column, the system's font, and light or dark as the user's system is set.
pub(crate) const STYLE: &str = concat!(include_str!("style.css"), include_str!("forms.css"));
/// The part of [`STYLE`] for pages that ask for nothing.
pub const STYLE_WITHOUT_FORMS: &str = include_str!("style.css");

/// A source list without a source (CSP 3 §2.3.1): the page has no form.
pub const NO_FORM: &str = "'none'";

/// The look and the texts of all pages. Immutable; all workers share it.
#[derive(Debug)]
pub struct Pages {
    settings: Settings,
    /// [`STYLE`].
    style: Style,
    /// [`STYLE_WITHOUT_FORMS`].
    style_without_forms: Style,
    /// Whether pages have images of the theme.
    has_images: bool,
    languages: Vec<HeaderValue>,
}

/// A stylesheet with the colours of the theme.
#[derive(Debug)]
struct Style {
    text: String,
    /// `style-src`.
    source: String,
}

impl Style {
    fn new(text: &str, settings: &Settings) -> Self {
        let text = format!("{text}{}", color::style(&settings.colors, &settings.colors_dark, settings.schemes));
        // CSP 3 §6.7.3.3.
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
        // The host of a pool serves no other stylesheets than those of the operator.
        let source = format!("style-src 'sha256-{hash}'{};", if settings.css.is_some() { " 'self'" } else { "" });
        Self { text, source }
    }
}

/// What few pages have.
#[derive(Clone, Copy, Debug)]
pub struct Extras<'a> {
    /// Logos other than that of the theme.
    pub has_logos: bool,
    /// The address of the one script that the page may load.
    pub script: Option<&'a str>,
}

/// The pages for one visitor.
#[derive(Clone, Copy, Debug)]
pub struct View<'p> {
    pages: &'p Pages,
    at: usize,
    style: &'p Style,
}

impl Default for Pages {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Pages {
    /// The pages with this theme.
    pub fn new(settings: Settings) -> Self {
        let has_pictures = settings.css.as_ref().is_some_and(Stylesheet::has_pictures);
        let has_images = settings.logo.is_some() || settings.logo_dark.is_some() || has_pictures;
        let language = |translation: &Translation| HeaderValue::from_str(translation.tag()).expect("a tag is ASCII");
        Self {
            style: Style::new(STYLE, &settings),
            style_without_forms: Style::new(STYLE_WITHOUT_FORMS, &settings),
            has_images,
            languages: settings.translations.iter().map(language).collect(),
            settings,
        }
    }

    /// The language that the client likes best.
    pub fn language(&self, headers: &HeaderMap) -> Language {
        language::accepted(headers, &self.settings.translations)
    }

    /// The first language of `ui_locales` (OpenID Connect Core §3.1.2.1) that there is.
    pub fn asked_for(&self, ui_locales: &str) -> Option<Language> {
        language::asked_for(ui_locales, &self.settings.translations)
    }

    /// What the theme was made of.
    pub fn look(&self) -> &Settings {
        &self.settings
    }

    /// The stylesheet of the theme, which is a file of its own.
    pub fn stylesheet(&self) -> Option<&Stylesheet> {
        self.settings.css.as_ref()
    }

    /// The pages in a language.
    pub fn view(&self, language: Language) -> View<'_> {
        // A language of an earlier configuration may be gone.
        let at = usize::from(language.0).min(self.languages.len() - 1);
        View { pages: self, at, style: &self.style }
    }

    /// The pages in the language that the client likes best.
    pub fn view_for(&self, headers: &HeaderMap) -> View<'_> {
        self.view(self.language(headers))
    }
}

impl<'p> View<'p> {
    fn translation(self) -> &'p Translation {
        &self.pages.settings.translations[self.at]
    }

    /// The language tag, for `<html lang>` and for messages.
    pub fn language(self) -> &'p str {
        self.translation().tag()
    }

    pub(super) fn style(self) -> &'p str {
        &self.style.text
    }

    /// The same with a smaller stylesheet, for pages that ask for nothing.
    pub fn without_forms(self) -> Self {
        Self { style: &self.pages.style_without_forms, ..self }
    }

    /// The path of the operator's stylesheet.
    pub(super) fn stylesheet(self) -> Option<&'p str> {
        self.pages.stylesheet().map(Stylesheet::path)
    }

    /// The links at the end of every page: what they say, and their addresses.
    pub(super) fn links(self) -> Vec<(&'p str, &'p str)> {
        let Links { terms, privacy, help } = &self.pages.settings.links;
        let all = [(Text::LinkTerms, terms), (Text::LinkPrivacy, privacy), (Text::LinkHelp, help)];
        all.into_iter().filter_map(|(text, address)| Some((self.text(text), address.as_deref()?))).collect()
    }

    /// The name of the organisation or site.
    pub(super) fn site(self) -> Option<&'p str> {
        self.pages.settings.title.as_deref()
    }

    /// The `data:` URI of the logo.
    pub(super) fn logo(self) -> Option<&'p str> {
        let settings = &self.pages.settings;
        settings.logo.as_ref().or(settings.logo_dark.as_ref()).map(|logo| logo.uri())
    }

    /// The `data:` URI of the logo for a dark colour scheme, if it is another one.
    pub(super) fn logo_dark(self) -> Option<&'p str> {
        self.pages.settings.logo.as_ref().and(self.pages.settings.logo_dark.as_ref()).map(|logo| logo.uri())
    }

    /// A text without placeholders.
    pub fn text(self, text: Text) -> &'p str {
        self.translation().text(text)
    }

    /// The pieces of a sentence.
    pub(super) fn parts(self, sentence: &Sentence) -> Vec<Part> {
        sentence.parts(self.translation())
    }

    /// A sentence as plain text.
    pub fn plain(self, sentence: &Sentence) -> String {
        sentence.plain(self.translation())
    }

    /// The texts for the code of a reason.
    pub fn reason(self, code: &str) -> ReasonTexts<'p> {
        self.translation().reason(code)
    }

    /// The response with a page. Its forms may be sent to `form_action` (a CSP source list, for example [`NO_FORM`]).
    pub fn respond(self, status: StatusCode, page: &impl Template, form_action: &str, frames: Frames) -> WholeResponse {
        let policy = self.policy(form_action, frames, false, None);
        self.respond_by(policy, status, page, frames)
    }

    /// The same, for a page that shows logos other than that of the theme.
    pub fn respond_with_logos(
        self,
        status: StatusCode,
        page: &impl Template,
        form_action: &str,
        frames: Frames,
    ) -> WholeResponse {
        let policy = self.policy(form_action, frames, true, None);
        self.respond_by(policy, status, page, frames)
    }

    /// The same, for a page with more than that.
    pub fn respond_with(
        self,
        status: StatusCode,
        page: &impl Template,
        (form_action, frames): (&str, Frames),
        extras: Extras<'_>,
    ) -> WholeResponse {
        let policy = self.policy(form_action, frames, extras.has_logos, extras.script);
        self.respond_by(policy, status, page, frames)
    }

    /// The same, for a page that has a script, and that nobody may show in a frame.
    pub fn respond_with_script(
        self,
        status: StatusCode,
        page: &impl Template,
        form_action: &str,
        script: &str,
    ) -> WholeResponse {
        let policy = self.policy(form_action, Frames::Nobody, false, Some(script));
        self.respond_by(policy, status, page, Frames::Nobody)
    }

    /// `Content-Security-Policy` of a page: no scripts, no frames, and no requests except forms that are sent to `form_action`.
    /// `script` is the address of the one script that it may load.
    fn policy(self, form_action: &str, frames: Frames, has_logos: bool, script: Option<&str>) -> HeaderValue {
        let (styles, ancestors) = (&self.style.source, frames.ancestors());
        let images = if self.pages.has_images || has_logos { " img-src data:;" } else { "" };
        let script = script.map(|script| format!(" script-src {script};")).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; {styles}{images}{script} base-uri 'none'; form-action {form_action}; frame-ancestors {ancestors}"
        );
        // A source list contains only keywords and parsed origins, which are ASCII.
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }

    fn respond_by(
        self,
        policy: HeaderValue,
        status: StatusCode,
        page: &impl Template,
        frames: Frames,
    ) -> WholeResponse {
        let html = page.render().expect("the templates call nothing that fails, and a String takes all text");
        let mut response = WholeResponse::new(Bytes::from(html));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_LANGUAGE, self.pages.languages[self.at].clone());
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        headers.insert(header::X_FRAME_OPTIONS, frames.option());
        harden(headers);
        response
    }
}

#[cfg(test)]
mod tests;
