//! `pages`.

use std::collections::BTreeMap;

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::parse;
use crate::config::document::path::{Path, Step};
use crate::config::document::scalar::Environment;
use crate::config::document::suggest;
use crate::config::document::tree::{Node, Value};
use crate::config::raw::pages as written;
use crate::config::validate::context::Context;
use crate::page::color::{Color, Colors, Role, Scheme};
use crate::page::language;
use crate::page::logo::{self, Logo};
use crate::page::placeholder;
use crate::page::settings::Settings;
use crate::page::translation::{Translation, built_in, english};

/// Maximum length of the title, in bytes.
const TITLE_LENGTH_MAX: usize = 100;
/// Maximum length of one text, in bytes.
const TEXT_LENGTH_MAX: usize = 2000;
/// Maximum size of a file with texts.
const TEXTS_BYTES_MAX: u64 = 256 * 1024;
/// Maximum number of languages, with those that are compiled in.
const LANGUAGES_MAX: usize = 50;
/// Missing texts that a message names. The others are counted.
const MISSING_NAMED_MAX: usize = 10;

pub(super) fn pages(raw: Option<&written::Pages>, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let Some(raw) = raw else { return Ok(Settings::default()) };
    let title = title(raw.title.as_deref(), &at.key("title"), &mut context.found);
    let mut image = |file: Option<&String>, key| file.map(|file| image(file, &at.key(key), context)).transpose();
    let (logo, logo_dark) = (image(raw.logo.as_ref(), "logo"), image(raw.logo_dark.as_ref(), "logo_dark"));
    let colors = colors(raw.colors.as_ref(), Scheme::Light, &at.key("colors"), context);
    let colors_dark = self::colors(raw.colors_dark.as_ref(), Scheme::Dark, &at.key("colors_dark"), context);
    let translations = translations(&raw.texts, &at.key("texts"), context);
    Ok(Settings {
        title: title?,
        logo: logo?,
        logo_dark: logo_dark?,
        colors: colors?,
        colors_dark: colors_dark?,
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
    scheme: Scheme,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Colors, Reported> {
    let mut colors = Colors::default();
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
                let hint = "write `\"#1d4ed8\"` or `\"#fff\"`, in quotes: `#` begins a comment in YAML";
                result = Err(problem.hint(hint).reported());
            }
        }
    }
    result?;
    contrasts(&colors, scheme, at, &mut context.found);
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
            Step::Index(_) => None,
        };
    }
    node.is_some_and(|node| node.value == Value::Null)
}

/// Warns about text that many people cannot read.
fn contrasts(colors: &Colors, scheme: Scheme, at: &Path, found: &mut Findings) {
    for (front, back, least) in Role::CONTRASTS {
        let Some(set) = [front, back].into_iter().find(|role| colors.has(*role)) else { continue };
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
    raw: &BTreeMap<String, String>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<Translation>, Reported> {
    let mut translations = built_in().to_vec();
    let mut result = Ok(());
    for (tag, file) in raw {
        let at = at.key(tag);
        if !language::is_tag(tag) {
            let problem = context.found.problem_at_key(&at, format!("`{tag}` is not a language tag"));
            result = Err(problem.hint("write the code of the language: `de`, `fr` or `pt-BR`").reported());
            continue;
        }
        if translations.len() >= LANGUAGES_MAX {
            let problem = context.found.problem_at_key(&at, format!("more than {LANGUAGES_MAX} languages"));
            result = Err(problem.reported());
            continue;
        }
        let known = translations.iter_mut().find(|translation| translation.tag().eq_ignore_ascii_case(tag));
        let checked = match known {
            Some(translation) => texts(file, translation, &at, context),
            None => {
                let mut translation = language::wider(tag, &translations)
                    .map_or_else(|| Translation::new(tag, BTreeMap::new()), |wider| wider.for_tag(tag));
                let checked = texts(file, &mut translation, &at, context)
                    .and_then(|()| complete(&translation, file, &at, context));
                translations.push(translation);
                checked
            }
        };
        result = result.and(checked);
    }
    result.map(|()| translations)
}

/// Reads a file with texts into a translation.
fn texts(file: &str, into: &mut Translation, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let path = context.source.resolve(file);
    let found = &mut context.found;
    let bytes = match context.source.files.read(&path, TEXTS_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => return found.problem(at, format!("`{}` cannot be read: {error}", path.display())).fail(),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        let message = format!("`{}` is not UTF-8", path.display());
        return found.problem(at, message).fail();
    };
    let mut inner = Findings::default();
    let parsed = parse::parse(&text, &Environment::Given(BTreeMap::new()), &mut inner);
    if let Ok(parsed) = &parsed {
        if !matches!(parsed.root.value, Value::Mapping(_)) {
            let _ = inner.problem(&Path::default(), "the file must have keys and texts: `sign_in.title: \"Welcome\"`");
        }
        for entry in parsed.root.entries() {
            let key_at = Path::default().key(&entry.key);
            match (&entry.value.value, english().find(&entry.key)) {
                (_, None) => {
                    let hint = suggest::hint(&entry.key, english().keys());
                    let _ = inner.problem_at_key(&key_at, format!("there is no text `{}`", entry.key)).maybe_hint(hint);
                }
                (Value::String(text), Some(usual)) => match wrong(text, usual) {
                    Some(message) => drop(inner.problem(&key_at, message)),
                    None => into.set(&entry.key, text),
                },
                _ => drop(inner.problem(&key_at, format!("`{}` must be text, in quotes", entry.key))),
            }
        }
    }
    // The place of a problem is in the other file, so it is part of the message.
    for problem in inner.located(parsed.as_ref().ok().map(|parsed| &parsed.root)) {
        let start = problem.span.map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        found.problem(at, format!("{}:{line}: {}", path.display(), problem.message)).maybe_hint(problem.hint);
    }
    found.concern(at).map_or(Ok(()), Err)
}

/// Why a text cannot be in the place of `usual`.
fn wrong(text: &str, usual: &str) -> Option<String> {
    if text.trim().is_empty() || text.len() > TEXT_LENGTH_MAX {
        return Some(format!("a text must have 1 to {TEXT_LENGTH_MAX} bytes"));
    }
    let known = placeholder::names(usual);
    let unknown = placeholder::names(text).into_iter().find(|name| !known.contains(name))?;
    Some(format!("there is no `{{{unknown}}}` in this text; in English it is: {usual}"))
}

/// A language that is not compiled in must have every text.
fn complete(translation: &Translation, file: &str, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let missing: Vec<_> = english().keys().filter(|key| translation.find(key).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = missing.iter().take(MISSING_NAMED_MAX).map(|key| format!("`{key}`")).collect();
    let more = match missing.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("`{file}` lacks these texts: {}{more}", named.join(", "));
    let hint = "a new language needs every text: `vestibule texts > FILE` writes a file with all of them in English";
    context.found.problem(at, message).hint(hint).fail()
}
