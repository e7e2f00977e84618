//! Removes the secrets from the text of a document, so that a diagnostic can show the rest.
//!
//! The schema decides, not the look of a line. What is shown is what the schema knows and does not mark as a secret: the keys,
//! the scalars of settings, and the punctuation between them. A value that the schema does not know (an unknown key, an
//! anchor that nothing uses, the value of a mapping where text belongs) may be a secret in the wrong place, and is not shown. Neither are
//! comments.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::Value as Json;

use crate::config::document::diagnostic::Span;
use crate::config::document::parse::Parsed;
use crate::config::document::scalar;
use crate::config::document::schema::Schema;
use crate::config::document::suggest;
use crate::config::document::tree::{Entry, Node, Value};

/// A text without its secrets.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// The hidden ranges of the original text in its order, and where `…` stands for each of them in [`text`](Self::text).
    hidden: Vec<(Range<usize>, Range<usize>)>,
}

impl Shown {
    /// Where that part of the original text is now.
    pub(crate) fn locate(&self, span: Span) -> Span {
        let start = self.offset(span.start);
        Span { start, end: self.offset(span.end).max(start) }
    }

    /// Whether a part of this is hidden.
    pub(crate) fn hides(&self, span: Span) -> bool {
        self.hidden.iter().any(|(from, _)| from.start < span.end && span.start < from.end)
    }

    fn offset(&self, original: usize) -> usize {
        let after = self.hidden.partition_point(|(from, _)| from.start <= original);
        match self.hidden[..after].last() {
            None => original,
            // All of what is hidden is shown as one place.
            Some((from, to)) if original < from.end => to.start,
            Some((from, to)) => to.end + (original - from.end),
        }
    }
}

/// The text of a document that could be parsed.
pub(crate) fn hide(text: &str, parsed: &Parsed, schema: &Json) -> Shown {
    let mut marks = Marks { text, shown: HashSet::new(), secret: HashSet::new(), doubtful: HashSet::new() };
    marks.value(&parsed.root, &[Schema::root(schema)]);
    for (second, first) in &parsed.repeated {
        marks.same(second.start, first.start);
    }
    // For `saphyr-parser`, the comma behind a key without a value is the value.
    let is_no_value = |scalar: &Span| matches!(text[scalar.start..scalar.end].trim(), "<<" | ",");
    let is_shown = |scalar: &Span| marks.shows(scalar.start) || is_no_value(scalar);
    let mut hidden: Vec<Range<usize>> = Vec::new();
    let mut end = 0;
    for scalar in &parsed.scalars {
        hidden.extend(comments(text, end..scalar.start));
        if is_shown(scalar) {
            end = end_of_scalar(text, *scalar);
        } else {
            end = scalar.end;
            hidden.push(scalar.start..scalar.end);
        }
    }
    hidden.extend(comments(text, end..text.len()));
    replace(text, hidden)
}

/// The text of a document that could not be parsed: only the names of the keys tell what is in it.
pub(crate) fn hide_unparsed(text: &str, schema: &Json) -> Shown {
    let names = Names::of(schema);
    let mut hidden = Vec::new();
    let mut last = LastKey::Unknown;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let shown = names.shown(line, &mut last);
        hidden.extend(comments(text, start..start + shown));
        hidden.push(start + shown..start + line.len());
        start += line.len();
    }
    replace(text, hidden)
}

/// Which scalars are shown. Each is known by where it begins in the text.
struct Marks<'t> {
    text: &'t str,
    shown: HashSet<usize>,
    secret: HashSet<usize>,
    /// Keys of an anchor that may be the rest of a secret: its uses tell.
    doubtful: HashSet<usize>,
}

impl Marks<'_> {
    fn shows(&self, start: usize) -> bool {
        self.shown.contains(&start) && !self.secret.contains(&start)
    }

    /// Marks a key like another one.
    fn same(&mut self, key: usize, other: usize) {
        if self.shows(other) {
            self.shown.insert(key);
        }
    }

    /// Marks a value that one of these schemas is for. Several are, where the file does not tell which alternative was meant.
    fn value(&mut self, node: &Node, schemas: &[Schema<'_>]) {
        let schemas = expanded(schemas);
        if schemas.iter().any(|schema| schema.is_secret()) {
            return self.secret(node);
        }
        match &node.value {
            Value::Sequence(items) => {
                let below: Vec<_> = schemas.iter().filter_map(items_of).collect();
                items.iter().for_each(|item| self.value(item, &below));
            }
            Value::Mapping(entries) => self.mapping(entries, &schemas),
            Value::Substituted { written, .. } if scalar::only_variable(written).is_some() => {
                self.shown.insert(node.text_start);
            }
            _ if schemas.iter().any(|schema| takes_scalars(*schema)) => {
                self.shown.insert(node.text_start);
            }
            _ => {}
        }
    }

    /// In a flow mapping, a comma ends a value: of `{ client_secret: a, b }`, `b` may be part of the secret. What the schema does not
    /// know there is not shown.
    fn mapping(&mut self, entries: &[Entry], schemas: &[Schema<'_>]) {
        // Flow mappings in which such a value was. One in the text can be a part of this one (`<<`).
        let mut cut = HashSet::new();
        for entry in entries {
            let start = entry.key_span.start;
            let is_rest = entry.flow.is_some_and(|flow| cut.contains(&flow)) || self.doubtful.contains(&start);
            if is_rest && !schemas.iter().any(|schema| schema.has(&entry.key)) {
                if schemas.is_empty() {
                    self.doubtful.insert(start);
                } else {
                    self.secret.insert(start);
                    self.secret(&entry.value);
                }
                continue;
            }
            let is_key = schemas.iter().all(|schema| schema.secret_in(&entry.key).is_none());
            if is_key {
                self.shown.insert(start);
            }
            let below: Vec<_> = schemas.iter().flat_map(|schema| below(*schema, &entry.key)).collect();
            self.value(&entry.value, &below);
            if !is_key || self.may_be_cut(&entry.value, &below) {
                cut.extend(entry.flow);
            }
        }
    }

    /// Whether this is the value of a secret or one that is not shown, and has no quotes that say where it ends.
    fn may_be_cut(&self, node: &Node, schemas: &[Schema<'_>]) -> bool {
        let is_quoted = || self.text[node.text_start..].starts_with(['"', '\'']);
        match &node.value {
            Value::String(_) | Value::Substituted { .. } if is_quoted() => false,
            _ if expanded(schemas).iter().any(|schema| schema.is_secret()) => true,
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => false,
            _ => !self.shows(node.text_start),
        }
    }

    fn secret(&mut self, node: &Node) {
        match &node.value {
            Value::Sequence(items) => items.iter().for_each(|item| self.secret(item)),
            Value::Mapping(entries) => {
                for entry in entries {
                    self.secret.insert(entry.key_span.start);
                    self.secret(&entry.value);
                }
            }
            // `${NAME}` is the name of a secret.
            Value::Substituted { written, .. } if scalar::only_variable(written).is_some() => {
                self.shown.insert(node.text_start);
            }
            _ => {
                self.secret.insert(node.text_start);
            }
        }
    }
}

/// The schemas without references and alternatives.
fn expanded<'s>(schemas: &[Schema<'s>]) -> Vec<Schema<'s>> {
    let each = schemas.iter().map(|schema| schema.resolve());
    each.flat_map(|schema| match schema.alternatives() {
        Some(alternatives) => expanded(&alternatives),
        None => vec![schema],
    })
    .collect()
}

fn items_of<'s>(schema: &Schema<'s>) -> Option<Schema<'s>> {
    if schema.is_anything() { Some(*schema) } else { schema.types().array.then(|| schema.items()) }
}

/// The schemas that the value of a key may be for. For an unknown key, those of the keys that were perhaps meant, if all of them are
/// known to be no secrets or one is known to be a secret.
fn below<'s>(schema: Schema<'s>, key: &str) -> Vec<Schema<'s>> {
    if schema.is_anything() {
        return vec![schema];
    }
    if let Some(known) = schema.key(key).or_else(|| schema.further()) {
        return vec![known];
    }
    if schema.is_free(key) {
        return Vec::new();
    }
    let meant = suggest::near(key, schema.keys());
    meant.into_iter().filter_map(|name| schema.key(name)).collect()
}

/// Whether text or a number may stand here: as the value, or as the only item of a list that was forgotten.
fn takes_scalars(schema: Schema<'_>) -> bool {
    let types = schema.types();
    let is_scalar = types.string || types.integer || types.number || types.boolean || schema.choices().is_some();
    schema.is_anything() || is_scalar || (types.array && expanded(&[schema.items()]).into_iter().any(takes_scalars))
}

/// The names of keys in a schema.
#[derive(Default)]
struct Names<'s> {
    public: HashSet<&'s str>,
    secret: HashSet<&'s str>,
}

/// The last key before a line. The line may have more of its value.
#[derive(Clone, Copy)]
enum LastKey {
    Public,
    Unknown,
    /// Lines that are indented more than this belong to a secret.
    Secret(usize),
}

impl<'s> Names<'s> {
    fn of(schema: &'s Json) -> Self {
        let mut names = Self::default();
        names.collect(schema);
        names
    }

    fn collect(&mut self, schema: &'s Json) {
        match schema {
            Json::Object(members) => {
                for (name, property) in members.get("properties").and_then(Json::as_object).into_iter().flatten() {
                    let is_secret = property["writeOnly"] == true;
                    if is_secret { &mut self.secret } else { &mut self.public }.insert(name.as_str());
                }
                members.values().for_each(|member| self.collect(member));
            }
            Json::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }

    /// How many bytes of the line are shown.
    fn shown(&self, line: &str, last: &mut LastKey) -> usize {
        let indentation = line.len() - line.trim_start().len();
        if matches!(last, LastKey::Secret(above) if indentation > *above) {
            return indentation;
        }
        let mut keys = keys(line).peekable();
        // In a flow mapping a value goes on at any indentation: whatever is in front of a line's first key may belong to it.
        let begins = |key: &str| line.trim_start_matches(['-', '{', ' ', '\t', '"', '\'']).starts_with(key);
        if !matches!(last, LastKey::Public) && !keys.peek().is_some_and(|(key, _)| begins(key)) {
            return indentation;
        }
        if keys.peek().is_none() {
            return line.len();
        }
        let mut shown = line.len();
        for (key, end) in keys {
            if self.secret.contains(key) || !suggest::near(key, self.secret.iter().copied()).is_empty() {
                *last = LastKey::Secret(indentation);
                return shown.min(end);
            }
            *last = if self.public.contains(key) { LastKey::Public } else { LastKey::Unknown };
            // Behind an unknown key, the line is only looked through for secrets.
            if matches!(last, LastKey::Unknown) {
                shown = shown.min(end);
            }
        }
        shown
    }
}

/// What looks like a key on a line, and where its colon ends.
fn keys(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices(':').filter_map(|(colon, _)| {
        let ends = line[colon + 1..].chars().next().is_none_or(char::is_whitespace);
        let before = line[..colon].trim_end_matches(['"', '\'', ' ']);
        let key = before.rsplit([' ', '\t', '{', ',', '"', '\'']).next().unwrap_or_default();
        (ends && !key.is_empty()).then_some((key, colon + 1))
    })
}

/// The comments in a part of the text that has no scalars.
fn comments(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = within.start;
    while let Some(at) = text.get(from..within.end).and_then(|rest| rest.find('#')).map(|at| from + at) {
        let end = text[at..].find(['\n', '\r']).map_or(text.len(), |length| at + length);
        let begins = text[..at].chars().next_back().is_none_or(char::is_whitespace);
        if begins && !text[at + 1..end].trim().is_empty() {
            let blank = text[at + 1..end].len() - text[at + 1..end].trim_start().len();
            found.push(at + 1 + blank..end);
        }
        from = if begins { end } else { at + 1 };
    }
    found
}

/// Where a scalar ends. For `saphyr-parser`, what follows the closing quote on its line belongs to the scalar, too.
fn end_of_scalar(text: &str, scalar: Span) -> usize {
    let written = &text[scalar.start..scalar.end];
    let quoted = written.find(['"', '\'']).filter(|at| *at == 0 || written.starts_with(['&', '!']));
    let Some(open) = quoted else { return scalar.end };
    let quote = written.as_bytes()[open];
    let mut rest = written.bytes().enumerate().skip(open + 1);
    while let Some((at, byte)) = rest.next() {
        if byte == b'\\' && quote == b'"' {
            rest.next();
        } else if byte == quote && (quote == b'"' || written.as_bytes().get(at + 1) != Some(&quote)) {
            return scalar.start + at + 1;
        } else if byte == quote {
            rest.next();
        }
    }
    scalar.end
}

/// Writes `…` for what is hidden. At the end of a line that is one, so that the length stays hidden, too; elsewhere it is
/// one for each character, so that what follows stays in its column.
fn replace(text: &str, mut hidden: Vec<Range<usize>>) -> Shown {
    hidden.extend(userinfo(text));
    let mut shown = Shown { text: String::with_capacity(text.len()), hidden: Vec::new() };
    let mut copied = 0;
    for range in by_line(text, hidden) {
        shown.text.push_str(&text[copied..range.start]);
        let from = shown.text.len();
        let ends = text[range.end..].chars().next().is_none_or(|next| matches!(next, '\n' | '\r'));
        let count = if ends { 1 } else { text[range.clone()].chars().count() };
        shown.text.extend(std::iter::repeat_n('…', count));
        copied = range.end;
        shown.hidden.push((range, from..shown.text.len()));
    }
    shown.text.push_str(&text[copied..]);
    shown
}

/// The same ranges in the order of the text, none over the end of a line. What follows to the end of a line belongs to them if it
/// is only punctuation.
fn by_line(text: &str, mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let is_space = |text: &str, more: &str| text.chars().all(|c| matches!(c, ' ' | '\t') || more.contains(c));
    ranges.sort_by_key(|range| range.start);
    let mut all: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        let mut start = range.start;
        for line in text[range].split_inclusive('\n') {
            let (from, mut to) = (start + line.len() - line.trim_start().len(), start + line.trim_end().len());
            start += line.len();
            if from >= to {
                continue;
            }
            let rest = text[to..].lines().next().unwrap_or_default();
            if is_space(rest, ",}]") {
                to += rest.trim_end().len();
            }
            match all.last_mut() {
                Some(last) if from <= last.end || is_space(&text[last.end..from], "#,:[]{}") => {
                    last.end = last.end.max(to)
                }
                _ => all.push(from..to),
            }
        }
    }
    all
}

/// The user names and passwords of URLs: `https://user:password@host`. Such a URL is refused, and the diagnostic shows it.
fn userinfo(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(at, separator)| {
        let start = at + separator.len();
        let authority = text[start..].split(['/', ' ', '"', '\'', '\r', '\n']).next().unwrap_or_default();
        Some(start..start + authority.rfind('@')?)
    })
}

/// A message without the user names and passwords of URLs.
pub(crate) fn without_userinfo(text: &str) -> String {
    replace(text, Vec::new()).text
}

#[cfg(test)]
mod tests;
