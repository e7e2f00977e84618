//! Parses YAML into a tree in which every value has its place in the text.
//!
//! Parses one document of YAML 1.2 with the core schema (`no` and `on` are text). Refuses input whose meaning is
//! easily misunderstood: duplicate keys, several documents, tags, aliases without a bound. The meaning of the keys is
//! the business of `shape`. Start at [`parse`].
//!
//! `saphyr-parser` does the reading: it is kept, it passes the YAML test suite, and it hands out events with positions,
//! which a deserialiser over serde cannot do for a file with several mistakes.
//!
//! A message never quotes a value: here nobody knows yet whether the value is a secret.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use crate::config::document::diagnostic::Span;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::document::scalar;
use crate::config::document::scalar::Environment;
use crate::config::document::tree::{Entry, Node, Value};

/// Maximum number of values in one file, with aliases counted at each use.
const NODES_MAX: usize = 100_000;
/// Maximum nesting depth.
const DEPTH_MAX: usize = 64;

/// What was parsed.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) root: Node,
    /// Every key and scalar in the text, in its order; also those that the tree does not have, because a later key or a `<<` did
    /// not count.
    pub(crate) scalars: Vec<Span>,
    /// Keys that are set twice: the second, which the tree does not have, and the first.
    pub(crate) repeated: Vec<(Span, Span)>,
}

/// Parses `text`.
pub(crate) fn parse(text: &str, environment: &Environment, found: &mut Findings) -> Result<Parsed, Reported> {
    let mut builder = Builder {
        text,
        offsets: Offsets::of(text),
        parser: Parser::new_from_str(text),
        environment,
        found,
        anchors: HashMap::new(),
        nodes: 0,
        scalars: Vec::new(),
        repeated: Vec::new(),
    };
    let root = builder.document()?;
    Ok(Parsed { root, scalars: builder.scalars, repeated: builder.repeated })
}

/// Where the characters begin, which `saphyr-parser` counts, in bytes.
enum Offsets {
    Ascii(usize),
    Table(Vec<usize>),
}

impl Offsets {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            Self::Ascii(text.len())
        } else {
            Self::Table(text.char_indices().map(|(at, _)| at).chain([text.len()]).collect())
        }
    }

    fn byte(&self, character: usize) -> usize {
        match self {
            Self::Ascii(length) => character.min(*length),
            Self::Table(table) => table.get(character).or(table.last()).copied().unwrap_or_default(),
        }
    }
}

struct Builder<'t, 'f> {
    text: &'t str,
    offsets: Offsets,
    parser: Parser<'t, StrInput<'t>>,
    environment: &'f Environment,
    found: &'f mut Findings,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    scalars: Vec<Span>,
    repeated: Vec<(Span, Span)>,
}

impl<'t> Builder<'t, '_> {
    fn document(&mut self) -> Result<Node, Reported> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => return self.stop(None, "the file is empty", None),
                event => {
                    let root = self.node(event, span, &Path::default(), 0)?;
                    self.nothing_follows()?;
                    return Ok(root);
                }
            }
        }
    }

    fn nothing_follows(&mut self) -> Result<(), Reported> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => return self.stop(Some(span), "the file contains several documents (`---`)", None),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Reported> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let span =
                    Span { start: self.offsets.byte(span.start.index()), end: self.offsets.byte(span.end.index()) };
                if matches!(event, Event::Scalar(..)) {
                    self.scalars.push(span);
                }
                Ok((event, span))
            }
            Some(Err(error)) => {
                let at = error.marker().index();
                let span = Span { start: self.offsets.byte(at), end: self.offsets.byte(at + 1) };
                let message = format!("this is not YAML: {}", error.info());
                if let Some(comment) = comment_in_flow(&self.text[..span.start.min(self.text.len())]) {
                    let hint = "`#` begins a comment: put a value that begins with `#` in quotes".to_owned();
                    return self.stop(Some(comment), message, Some(hint));
                }
                // The parser stops where the indentation begins to matter, which may be at the end of the line before.
                let tab = || tab_in_indentation(self.text, span.start);
                let span = error.info().contains("tab").then(tab).flatten().unwrap_or(span);
                self.stop(Some(span.first_line(self.text)), message, syntax_hint(error.info()))
            }
            None => self.stop(None, "the file is empty", None),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, path: &Path, depth: usize) -> Result<Node, Reported> {
        let at = span.first_line(self.text);
        self.count(1, at)?;
        if depth > DEPTH_MAX {
            let message = format!("lists and mappings are nested more than {DEPTH_MAX} levels deep");
            return self.stop(Some(at), message, None);
        }
        let mut text_start = span.start;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = match tag.as_deref() {
                    None => style != ScalarStyle::Plain,
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
                    Some(_) => return self.tagged(at),
                };
                (self.scalar(&text, is_text, at, path), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.untagged(tag.as_deref(), at)?;
                (self.sequence(path, depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.untagged(tag.as_deref(), at)?;
                let flow = is_flow(&self.text[span.start..]).then_some(span.start);
                (self.mapping(flow, path, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor) else {
                    return self.stop(Some(at), "this alias refers to itself", None);
                };
                text_start = target.text_start;
                let (value, size) = (target.value.clone(), target.size());
                self.count(size, at)?;
                (value, 0)
            }
            _ => return self.stop(Some(at), "this is not YAML: a value is missing", None),
        };
        let node = Node { span: at, text_start, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, path: &Path, depth: usize) -> Result<Value, Reported> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Sequence(items)),
                (event, span) => {
                    let path = path.index(items.len());
                    items.push(self.node(event, span, &path, depth + 1)?);
                }
            }
        }
    }

    fn mapping(&mut self, flow: Option<usize>, path: &Path, depth: usize) -> Result<Value, Reported> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (key, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(key, ..), span) => (key.into_owned(), span),
                (_, span) => return self.stop(Some(span.first_line(self.text)), "a key must be plain text", None),
            };
            let key_span = span.first_line(self.text);
            let (event, span) = self.next()?;
            let within = path.key(&key);
            let value = self.node(event, span, &within, depth + 1)?;
            if key == "<<" {
                merged.push((value, key_span));
            } else if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let problem =
                    self.found.problem_in_text(Some(key_span), &within, format!("the key `{key}` is set twice"));
                let problem = problem.label_in_text(first.key_span, "first set here");
                problem.unless_shown(vec![key_span], path, "a key is set twice");
                self.repeated.push((key_span, first.key_span));
            } else {
                entries.push(Entry { key, key_span, flow, value });
            }
        }
        for (value, at) in merged {
            self.merge(&mut entries, value, at)?;
        }
        Ok(Value::Mapping(entries))
    }

    /// Adds the entries of `<<` that the mapping does not set itself.
    fn merge(&mut self, entries: &mut Vec<Entry>, value: Node, at: Span) -> Result<(), Reported> {
        match value.value {
            Value::Mapping(more) => {
                for entry in more {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        entries.push(entry);
                    }
                }
                Ok(())
            }
            Value::Sequence(items) => items.into_iter().try_for_each(|item| self.merge(entries, item, at)),
            _ => self.stop(Some(at), "`<<` needs the alias of a mapping", None),
        }
    }

    fn scalar(&mut self, text: &str, is_text: bool, at: Span, path: &Path) -> Value {
        match scalar::substitute(text, self.environment) {
            Ok(None) if is_text => Value::String(text.to_owned()),
            Ok(None) => scalar::resolve(text),
            Ok(Some(full)) => Value::Substituted { text: full, written: text.to_owned() },
            Err(error) => {
                self.found.problem_in_text(Some(at), path, error.to_string()).hint(error.hint());
                // A placeholder, so that the value of the variable is not also reported as missing.
                Value::Substituted { text: text.to_owned(), written: text.to_owned() }
            }
        }
    }

    fn count(&mut self, more: usize, at: Span) -> Result<(), Reported> {
        self.nodes += more;
        if self.nodes > NODES_MAX {
            let message = format!("the file contains more than {NODES_MAX} values, with aliases expanded");
            return self.stop(Some(at), message, None);
        }
        Ok(())
    }

    fn untagged(&mut self, tag: Option<&Tag>, at: Span) -> Result<(), Reported> {
        match tag {
            None => Ok(()),
            Some(_) => self.tagged(at),
        }
    }

    fn tagged<T>(&mut self, at: Span) -> Result<T, Reported> {
        let hint = "put a value that begins with `!` in quotes".to_owned();
        self.stop(Some(at), "YAML tags (`!name`) are not supported", Some(hint))
    }

    /// Reports what ends the parsing.
    fn stop<T>(&mut self, at: Option<Span>, message: impl Into<String>, hint: Option<String>) -> Result<T, Reported> {
        self.found.problem_in_text(at, &Path::default(), message).maybe_hint(hint).fail()
    }
}

/// Whether a mapping begins with `{`, behind its anchor.
fn is_flow(text: &str) -> bool {
    let behind = if text.starts_with('&') { text.trim_start_matches(|c: char| !c.is_whitespace()) } else { text };
    behind.trim_start().starts_with('{')
}

/// The first comment behind `: `, `{` or `[` in braces or brackets that are open: what follows there was meant as a value.
fn comment_in_flow(text: &str) -> Option<Span> {
    let (mut open, mut quote, mut start) = (0_usize, None, 0);
    for line in text.split_inclusive('\n') {
        let mut before = ' ';
        for (at, letter) in line.char_indices() {
            match (quote, letter) {
                (Some(end), _) if letter == end => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if matches!(before, ' ' | '{' | '[' | ',' | ':') => quote = Some(letter),
                (None, '{' | '[') => open += 1,
                (None, '}' | ']') => open = open.saturating_sub(1),
                (None, '#') if before.is_whitespace() => {
                    let is_value = line[..at].trim_end().ends_with([':', '{', '[']);
                    if open > 0 && is_value {
                        return Some(Span { start: start + at, end: start + line.trim_end().len() });
                    }
                    break;
                }
                _ => {}
            }
            before = letter;
        }
        start += line.len();
    }
    None
}

/// The first tab in the indentation of a line, from the line of `from` on.
fn tab_in_indentation(text: &str, from: usize) -> Option<Span> {
    let begin = text.get(..from)?.rfind('\n').map_or(0, |at| at + 1);
    let mut start = begin;
    for line in text[begin..].split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(at) = line[..indentation].find('\t') {
            return Some(Span { start: start + at, end: start + at + 1 });
        }
        start += line.len();
    }
    None
}

fn syntax_hint(info: &str) -> Option<String> {
    let hint = if info.contains("tab") {
        "indent with spaces"
    } else if info.contains("while scanning for the next token") || info.contains("any token") {
        "a value that begins with `*`, `&`, `@`, `%`, `!` or a backquote must be in quotes"
    } else if info.contains("anchor") {
        "a value that begins with `*` must be in quotes"
    } else if info.contains("mapping values are not allowed") || info.contains("simple key") {
        "check the indentation, and put text that contains `: ` in quotes"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests;
