//! A document as a tree: every value has its position. `parse` makes it.

use crate::config::document::diagnostic::Span;
use crate::config::document::path::{Path, Step};

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where the value is used: the place of an alias, or the first line of the value.
    pub(crate) span: Span,
    /// Where the text of a scalar begins. For an alias, that is at its anchor.
    pub(crate) text_start: usize,
    pub(crate) value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    /// Text with a substituted environment variable. It is converted to the type that is expected there. `written` is
    /// the text in the file; only that may be shown.
    Substituted {
        text: String,
        written: String,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    /// Where the flow mapping begins (`{`) that has this entry in the text. `None` for a block mapping.
    pub(crate) flow: Option<usize>,
    pub(crate) value: Node,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Node {
    /// A document that says nothing.
    pub(crate) fn empty() -> Self {
        Self { span: Span { start: 0, end: 0 }, text_start: 0, value: Value::Null }
    }

    /// The entries, if this is a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The place of the value at `path`, or of the nearest enclosing value.
    pub(crate) fn locate(&self, path: &Path, on_key: bool) -> Span {
        let mut node = self;
        let mut span = self.span;
        for step in path.steps() {
            let next = match (step, &node.value) {
                (Step::Index(index), Value::Sequence(items)) => items.get(*index).map(|item| (item, item.span)),
                (Step::Key(key), Value::Mapping(entries)) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| {
                        // A list or mapping begins on a later line, so the place of its key is more helpful.
                        let block = matches!(entry.value.value, Value::Mapping(_) | Value::Sequence(_) | Value::Null);
                        (&entry.value, if on_key || block { entry.key_span } else { entry.value.span })
                    })
                }
                _ => None,
            };
            let Some((found, place)) = next else { break };
            (node, span) = (found, place);
        }
        span
    }

    /// The number of values in this one, itself included.
    pub(crate) fn size(&self) -> usize {
        match &self.value {
            Value::Sequence(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Mapping(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
            _ => 1,
        }
    }
}
