//! Files with texts in other languages, of pages and of messages.

use std::collections::BTreeMap;

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::parse;
use crate::config::document::path::Path;
use crate::config::document::scalar::Environment;
use crate::config::document::suggest;
use crate::config::document::tree::Value;
use crate::config::validate::context::Context;
use crate::page::language;
use crate::page::translation::Translation;

/// Maximum size of a file with texts.
const TEXTS_BYTES_MAX: u64 = 512 * 1024;
/// Maximum number of languages, with those that are compiled in.
const LANGUAGES_MAX: usize = 50;
/// Missing texts that a message names. The others are counted.
const MISSING_NAMED_MAX: usize = 10;

/// What texts there are.
pub(super) struct Book {
    /// The texts that are compiled in, in English.
    pub(super) english: fn() -> &'static Translation,
    /// Whether a file may have this key. Every key of the English texts is one.
    pub(super) is_key: fn(&str) -> bool,
    /// Why a text cannot be that of a key.
    pub(super) wrong: fn(key: &str, text: &str) -> Option<String>,
    /// A line of a file.
    pub(super) example: &'static str,
    /// What prints the texts.
    pub(super) command: &'static str,
}

impl Book {
    fn english(&self) -> &'static Translation {
        (self.english)()
    }
}

/// The languages of `base`, with what the files of `raw` change, and others.
pub(super) fn translations(
    book: &Book,
    base: &[Translation],
    raw: &BTreeMap<String, String>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<Translation>, Reported> {
    let mut translations = base.to_vec();
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
            Some(translation) => texts(book, file, translation, &at, context),
            None => {
                let mut translation = language::wider(tag, &translations)
                    .map_or_else(|| Translation::new(tag, BTreeMap::new()), |wider| wider.for_tag(tag));
                let checked = texts(book, file, &mut translation, &at, context)
                    .and_then(|()| complete(book, &translation, file, &at, context));
                translations.push(translation);
                checked
            }
        };
        result = result.and(checked);
    }
    result.map(|()| translations)
}

/// Reads a file with texts into a translation.
fn texts(
    book: &Book,
    file: &str,
    into: &mut Translation,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
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
            let message = format!("the file must have keys and texts: `{}`", book.example);
            let _ = inner.problem(&Path::default(), message);
        }
        for entry in parsed.root.entries() {
            let key_at = Path::default().key(&entry.key);
            match &entry.value.value {
                _ if !(book.is_key)(&entry.key) => {
                    let hint = suggest::hint(&entry.key, book.english().keys());
                    let _ = inner.problem_at_key(&key_at, format!("there is no text `{}`", entry.key)).maybe_hint(hint);
                }
                Value::String(text) => match (book.wrong)(&entry.key, text) {
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

/// A language that is not compiled in must have every text.
fn complete(
    book: &Book,
    translation: &Translation,
    file: &str,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    let missing: Vec<_> = book.english().keys().filter(|key| translation.find(key).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = missing.iter().take(MISSING_NAMED_MAX).map(|key| format!("`{key}`")).collect();
    let more = match missing.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("`{file}` lacks these texts: {}{more}", named.join(", "));
    let hint =
        format!("a new language needs every text: `{} > FILE` writes a file with all of them in English", book.command);
    context.found.problem(at, message).hint(hint).fail()
}
