//! `pages`.

mod more;

use std::sync::Arc;

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::{Path, Step};
use crate::config::document::tree::{Node, Value};
use crate::config::raw::pages as written;
use crate::config::validate::context::Context;
use crate::config::validate::texts::{self, Book};
use crate::page::color::{Color, Colors, Role, Scheme};
use crate::page::logo::{self, Logo};
use crate::page::placeholder;
use crate::page::settings::Settings;
use crate::page::translation::{Translation, english};

/// Maximum length of the title, in bytes.
const TITLE_LENGTH_MAX: usize = 100;
/// Maximum length of one text, in bytes.
const TEXT_LENGTH_MAX: usize = 2000;

/// The texts of pages.
const BOOK: Book = Book {
    english,
    is_key: |key| english().find(key).is_some(),
    wrong,
    example: "sign_in.title: \"Welcome\"",
    command: "vestibule texts",
};

/// Validates a section. What it does not set is as in `base`.
pub(super) fn pages(
    raw: Option<&written::Pages>,
    base: &Settings,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let Some(raw) = raw else { return Ok(base.clone()) };
    let title = title(raw.title.as_deref(), &at.key("title"), &mut context.found);
    let mut image = |file: Option<&String>, key| file.map(|file| image(file, &at.key(key), context)).transpose();
    let (logo, logo_dark) = (image(raw.logo.as_ref(), "logo"), image(raw.logo_dark.as_ref(), "logo_dark"));
    let colors = colors(raw.colors.as_ref(), &base.colors, Scheme::Light, &at.key("colors"), context);
    let colors_dark =
        self::colors(raw.colors_dark.as_ref(), &base.colors_dark, Scheme::Dark, &at.key("colors_dark"), context);
    let (links, css) = (more::links(raw, &base.links, at, context), more::css(raw, base, at, context));
    let translations = translations(raw, &base.translations, &at.key("texts"), context);
    let (mut logo, mut logo_dark) = (logo?, logo_dark?);
    if logo.is_none() && logo_dark.is_none() {
        (logo, logo_dark) = (base.logo.clone(), base.logo_dark.clone());
    }
    Ok(Settings {
        title: title?.or_else(|| base.title.clone()),
        logo,
        logo_dark,
        colors: colors?,
        colors_dark: colors_dark?,
        schemes: more::schemes(raw, base),
        links: links?,
        css: css?,
        translations: translations?,
    })
}

pub(super) fn title(raw: Option<&str>, at: &Path, found: &mut Findings) -> Result<Option<String>, Reported> {
    match raw {
        Some(title) if title.trim().is_empty() || title.len() > TITLE_LENGTH_MAX => {
            found.problem(at, format!("the title must have 1 to {TITLE_LENGTH_MAX} bytes")).fail()
        }
        title => Ok(title.map(str::to_owned)),
    }
}

pub(super) fn image(file: &str, at: &Path, context: &mut Context<'_>) -> Result<Logo, Reported> {
    let path = context.source.resolve(file);
    let shown = path.display();
    match context.source.files.read(&path, logo::BYTES_MAX as u64) {
        Ok(bytes) => {
            Logo::read(&bytes).or_else(|error| context.found.problem(at, format!("`{shown}`: {error}")).fail())
        }
        Err(error) => context.found.problem(at, format!("`{shown}` cannot be read: {error}")).fail(),
    }
}

fn colors(
    raw: Option<&written::Colors>,
    base: &Colors,
    scheme: Scheme,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Colors, Reported> {
    let mut colors = base.clone();
    let Some(raw) = raw else { return Ok(colors) };
    let mut result = Ok(());
    for role in Role::ALL {
        let (text, at) = (of(raw, role), at.key(&role.setting()));
        // YAML reads `accent: #1d4ed8` as a key without a value.
        let is_comment = text.is_none() && is_null(context.root, &at);
        match text.map(|text| (text, Color::parse(text))) {
            None if !is_comment => {}
            Some((_, Some(color))) => colors.set(role, color),
            None | Some((_, None)) => {
                let said = text.map_or("there is no colour".to_owned(), |text| format!("`{text}` is not a colour"));
                let problem = context.found.problem(&at, said);
                let hint = "write red, green and blue as hexadecimal digits: `\"#1d4ed8\"` or `\"#fff\"`. Names such as `green` are not taken. The \
                            quotes are needed: `#` begins a comment in YAML";
                result = Err(problem.hint(hint).reported());
            }
        }
    }
    result?;
    let is_set = |role: Role| of(raw, role).is_some();
    contrasts(&colors, is_set, scheme, at, &mut context.found);
    Ok(colors)
}

fn of(raw: &written::Colors, role: Role) -> Option<&str> {
    let color = match role {
        Role::Background => &raw.background,
        Role::Surface => &raw.surface,
        Role::Text => &raw.text,
        Role::Muted => &raw.muted,
        Role::Border => &raw.border,
        Role::Field => &raw.field,
        Role::Accent => &raw.accent,
        Role::OnAccent => &raw.on_accent,
        Role::Alert => &raw.alert,
        Role::AlertBackground => &raw.alert_background,
    };
    color.as_deref()
}

fn is_null(root: &Node, at: &Path) -> bool {
    let mut node = Some(root);
    for step in at.steps() {
        node = match step {
            Step::Key(key) => node.and_then(|node| node.get(key)),
            Step::Index(index) => node.and_then(|node| match &node.value {
                Value::Sequence(items) => items.get(*index),
                // A list of one may be written without brackets.
                _ => Some(node),
            }),
        };
    }
    node.is_some_and(|node| node.value == Value::Null)
}

/// Warns about text that many people cannot read, because of a colour that this section sets.
fn contrasts(colors: &Colors, is_set: impl Fn(Role) -> bool, scheme: Scheme, at: &Path, found: &mut Findings) {
    for (front, back, least) in Role::CONTRASTS {
        let Some(set) = [front, back].into_iter().find(|role| is_set(*role)) else { continue };
        let contrast = colors.effective(front, scheme).contrast(colors.effective(back, scheme));
        if contrast < least {
            let message = format!(
                "the contrast of `{}` on `{}` is {contrast:.1}, and people need at least {least}",
                front.setting(),
                back.setting()
            );
            let warning = found.warning(&at.key(&set.setting()), message);
            warning.hint("make one of the two lighter or darker (WCAG 2.2, 1.4.3)");
        }
    }
}

fn translations(
    raw: &written::Pages,
    base: &Arc<[Translation]>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Arc<[Translation]>, Reported> {
    if raw.texts.is_empty() {
        return Ok(Arc::clone(base));
    }
    texts::translations(&BOOK, base, &raw.texts, at, context).map(Arc::from)
}

/// Why a text of a page cannot be in the place of the English one.
fn wrong(key: &str, text: &str) -> Option<String> {
    let usual = english().find(key).unwrap_or_default();
    if text.trim().is_empty() || text.len() > TEXT_LENGTH_MAX {
        return Some(format!("a text must have 1 to {TEXT_LENGTH_MAX} bytes"));
    }
    let known = placeholder::names(usual);
    let unknown = placeholder::names(text).into_iter().find(|name| !known.contains(name))?;
    Some(format!("there is no `{{{unknown}}}` in this text; in English it is: {usual}"))
}
