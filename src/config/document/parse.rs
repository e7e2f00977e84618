//! Parses YAML into a tree in which every value has its position.
//!
//! Parses one document of YAML 1.2 with the core schema (`no` and `on` are text). Refuses input whose meaning is
//! easily misunderstood: duplicate keys, several documents, tags, aliases without a bound. The meaning of the keys is
//! the business of `shape`. Start at [`parse`].
//!
//! `saphyr-parser` does the reading: it is kept, it passes the YAML test suite, and it hands out events with positions,
//! which a deserialiser over serde cannot do for a file with several mistakes.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::config::document::diagnostic::Position;
use crate::config::document::findings::Findings;
use crate::config::document::path::Path;
use crate::config::document::scalar;
use crate::config::document::source::Environment;
use crate::config::document::tree::{Entry, Node, Value};

/// Maximum number of values in one file, with aliases counted at each use.
const NODES_MAX: usize = 100_000;
/// Maximum nesting depth.
const DEPTH_MAX: usize = 64;

/// Parses `text`. `None` if it is not YAML; the problem is then reported.
pub(crate) fn parse(text: &str, environment: &Environment, found: &mut Findings) -> Option<Node> {
    let mut builder =
        Builder { parser: Parser::new_from_str(text), environment, found, anchors: HashMap::new(), nodes: 0 };
    match builder.document() {
        Ok(node) => Some(node),
        Err(stop) => {
            let diagnostic = builder.found.problem(&Path::default(), stop.message).position(stop.position);
            diagnostic.maybe_hint(stop.hint);
            None
        }
    }
}

/// The problem that stops parsing.
struct Stop {
    position: Position,
    message: String,
    hint: Option<String>,
}

struct Builder<'t, 'f> {
    parser: Parser<'t, StrInput<'t>>,
    environment: &'f Environment,
    found: &'f mut Findings,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Builder<'t, '_> {
    fn document(&mut self) -> Result<Node, Stop> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => {
                    return Err(stop(position(span), "the file is empty", None));
                }
                event => {
                    let root = self.node(event, span, &Path::default(), 0)?;
                    self.nothing_follows()?;
                    return Ok(root);
                }
            }
        }
    }

    fn nothing_follows(&mut self) -> Result<(), Stop> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => return Err(stop(position(span), "the file contains several documents (`---`)", None)),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let mark = error.marker();
                let position = Position { line: mark.line(), column: mark.col() + 1, width: 1 };
                Err(stop(position, format!("this is not YAML: {}", error.info()), syntax_hint(error.info())))
            }
            None => Err(stop(Position::default(), "the file is empty", None)),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, path: &Path, depth: usize) -> Result<Node, Stop> {
        let position = position(span);
        self.count(1, position)?;
        if depth > DEPTH_MAX {
            return Err(stop(
                position,
                format!("lists and mappings are nested more than {DEPTH_MAX} levels deep"),
                None,
            ));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = match tag.as_deref() {
                    None => style != ScalarStyle::Plain,
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
                    Some(tag) => return Err(stop(position, format!("the tag `{tag}` is not supported"), None)),
                };
                (self.scalar(&text, is_text, position, path), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                untagged(tag.as_deref(), position)?;
                (self.sequence(path, depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                untagged(tag.as_deref(), position)?;
                (self.mapping(path, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor) else {
                    return Err(stop(position, "this alias refers to itself", None));
                };
                let value = target.value.clone();
                let size = target.size();
                self.count(size, position)?;
                (value, 0)
            }
            _ => return Err(stop(position, "this is not YAML: a value is missing", None)),
        };
        let node = Node { position, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, path: &Path, depth: usize) -> Result<Value, Stop> {
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

    fn mapping(&mut self, path: &Path, depth: usize) -> Result<Value, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (key, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(key, ..), span) => (key.into_owned(), span),
                (_, span) => return Err(stop(position(span), "a key must be plain text", None)),
            };
            let key_position = position(span);
            let (event, span) = self.next()?;
            let within = path.key(&key);
            let value = self.node(event, span, &within, depth + 1)?;
            if key == "<<" {
                merged.push((value, key_position));
            } else if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let line = first.key_position.line;
                self.found
                    .problem(&within, format!("the key `{key}` is set twice"))
                    .position(key_position)
                    .hint(format!("first set on line {line}"));
            } else {
                entries.push(Entry { key, key_position, value });
            }
        }
        for (value, position) in merged {
            merge(&mut entries, value, position)?;
        }
        Ok(Value::Mapping(entries))
    }

    fn scalar(&mut self, text: &str, is_text: bool, position: Position, path: &Path) -> Value {
        match scalar::substitute(text, self.environment) {
            Ok(None) if is_text => Value::String(text.to_owned()),
            Ok(None) => scalar::resolve(text),
            Ok(Some(full)) => Value::Substituted { text: full, written: text.to_owned() },
            Err(error) => {
                self.found.problem(path, error.to_string()).position(position).hint(error.hint());
                // A placeholder, so that the value of the variable is not also reported as missing.
                Value::Substituted { text: text.to_owned(), written: text.to_owned() }
            }
        }
    }

    fn count(&mut self, more: usize, position: Position) -> Result<(), Stop> {
        self.nodes += more;
        if self.nodes > NODES_MAX {
            return Err(stop(
                position,
                format!("the file contains more than {NODES_MAX} values, with aliases expanded"),
                None,
            ));
        }
        Ok(())
    }
}

/// Adds the entries of `<<` that the mapping does not set itself.
fn merge(entries: &mut Vec<Entry>, value: Node, position: Position) -> Result<(), Stop> {
    match value.value {
        Value::Mapping(more) => {
            for entry in more {
                if !entries.iter().any(|own| own.key == entry.key) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Value::Sequence(items) => items.into_iter().try_for_each(|item| merge(entries, item, position)),
        _ => Err(stop(position, "`<<` needs the alias of a mapping", None)),
    }
}

fn untagged(tag: Option<&saphyr_parser::Tag>, position: Position) -> Result<(), Stop> {
    match tag {
        None => Ok(()),
        Some(tag) => Err(stop(position, format!("the tag `{tag}` is not supported"), None)),
    }
}

fn position(span: Span) -> Position {
    let (start, end) = (span.start, span.end);
    let width = if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 1 };
    Position { line: start.line(), column: start.col() + 1, width: width.max(1) }
}

fn stop(position: Position, message: impl Into<String>, hint: Option<String>) -> Stop {
    Stop { position, message: message.into(), hint }
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
