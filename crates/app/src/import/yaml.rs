//! Writes YAML as `config/example.yaml` is written: blocks, short lists on one line, comments above what they are about.
//!
//! Everything in it comes from another system's file. A text is quoted unless it is plainly a word, so that no value can become a
//! key, a comment or an environment variable. The tests hold the writer against the parser of `config`.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::clock::period_text;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Text(String),
    Number(u64),
    Flag(bool),
    Period(Duration),
    /// `${NAME}`.
    Variable(String),
    /// The name of a file that the operator has to provide.
    File(String),
    List(Vec<Yaml>),
    Map(Map),
}

impl Yaml {
    /// The number of items of a list.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            _ => 0,
        }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Yaml {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Yaml {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Duration> for Yaml {
    fn from(period: Duration) -> Self {
        Self::Period(period)
    }
}

impl From<Map> for Yaml {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Map>> for Yaml {
    fn from(maps: Vec<Map>) -> Self {
        Self::List(maps.into_iter().map(Yaml::Map).collect())
    }
}

impl From<&[String]> for Yaml {
    fn from(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| Yaml::from(text.as_str())).collect())
    }
}

/// Keys in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key: String,
    value: Yaml,
    comments: Vec<String>,
}

impl Map {
    /// Sets a key that is not set yet. A second value for a key is ignored.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Yaml>) -> &mut Self {
        if self.get(key).is_none() {
            self.entries.push(Entry { key: key.to_owned(), value: value.into(), comments: Vec::new() });
        }
        self
    }

    /// Sets a key, or replaces its value.
    pub(crate) fn replace(&mut self, key: &str, value: impl Into<Yaml>) -> &mut Self {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.value = value.into();
            return self;
        }
        self.set(key, value)
    }

    /// Adds a comment above a key that is set.
    pub(crate) fn comment(&mut self, key: &str, comment: impl Into<String>) -> &mut Self {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.comments.push(comment.into());
        }
        self
    }

    /// The same map with one more key.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.set(key, value);
        self
    }

    /// Adds the entries of another map that are not set, with their comments.
    pub(crate) fn extend(&mut self, other: &Map) {
        let new: Vec<Entry> = other.entries.iter().filter(|entry| self.get(&entry.key).is_none()).cloned().collect();
        self.entries.extend(new);
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Where the files are that a document names.
#[derive(Clone, Copy)]
pub(crate) enum Files<'r> {
    /// Where it says.
    AsNamed,
    /// All below one folder: for a check before the files exist.
    Below(&'r Path),
}

impl Files<'_> {
    /// The path of a file.
    pub(crate) fn path(self, named: &str) -> PathBuf {
        match self {
            Self::AsNamed => PathBuf::from(named),
            Self::Below(root) => {
                let part = |component: Component<'_>| match component {
                    Component::Normal(part) => PathBuf::from(part),
                    Component::ParentDir => PathBuf::from("above"),
                    Component::RootDir => PathBuf::from("root"),
                    Component::CurDir | Component::Prefix(_) => PathBuf::new(),
                };
                root.join(Path::new(named).components().map(part).collect::<PathBuf>())
            }
        }
    }
}

/// Lists of scalars up to this width are on one line.
const LINE_WIDTH: usize = 110;

/// The text of a document. Blank lines separate its sections.
pub(crate) fn write(header: &[String], document: &Map, files: Files<'_>) -> String {
    let mut writer = Writer { text: String::new(), files };
    for line in header {
        writer.comment(line, 0);
    }
    for entry in &document.entries {
        writer.text.push('\n');
        writer.entry(entry, 0);
    }
    writer.text
}

struct Writer<'r> {
    text: String,
    files: Files<'r>,
}

impl Writer<'_> {
    fn comment(&mut self, comment: &str, indentation: usize) {
        // A line break in a comment would begin a setting.
        let plain: String = comment
            .chars()
            .map(|letter| if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') { ' ' } else { letter })
            .collect();
        let _ = writeln!(self.text, "{:indentation$}{}", "", format!("# {plain}").trim_end());
    }

    fn map(&mut self, map: &Map, indentation: usize) {
        for entry in &map.entries {
            self.entry(entry, indentation);
        }
    }

    fn entry(&mut self, entry: &Entry, indentation: usize) {
        for comment in &entry.comments {
            self.comment(comment, indentation);
        }
        let _ = write!(self.text, "{:indentation$}{}:", "", quoted(&entry.key));
        self.value(&entry.value, indentation);
    }

    /// The value behind a key, to the end of its line or lines.
    fn value(&mut self, value: &Yaml, indentation: usize) {
        if let Some(inline) = self.inline(value)
            && (inline.len() + indentation < LINE_WIDTH || !matches!(value, Yaml::List(_)))
        {
            let _ = writeln!(self.text, " {inline}");
            return;
        }
        self.text.push('\n');
        match value {
            Yaml::Map(map) => self.map(map, indentation + 2),
            Yaml::List(items) => items.iter().for_each(|item| self.item(item, indentation + 2)),
            _ => {}
        }
    }

    fn item(&mut self, item: &Yaml, indentation: usize) {
        match item {
            Yaml::Map(map) if !map.is_empty() => {
                for comment in &map.entries[0].comments {
                    self.comment(comment, indentation);
                }
                let _ = write!(self.text, "{:indentation$}- {}:", "", quoted(&map.entries[0].key));
                self.value(&map.entries[0].value, indentation + 2);
                map.entries[1..].iter().for_each(|entry| self.entry(entry, indentation + 2));
            }
            other => {
                let inline = self.inline(other).unwrap_or_else(|| "[]".to_owned());
                let _ = writeln!(self.text, "{:indentation$}- {inline}", "");
            }
        }
    }

    /// A scalar, an empty collection, or a list of scalars. `None` for everything else.
    fn inline(&self, value: &Yaml) -> Option<String> {
        Some(match value {
            Yaml::Text(text) => quoted(text),
            Yaml::Number(number) => number.to_string(),
            Yaml::Flag(flag) => flag.to_string(),
            Yaml::Period(period) => period_text(*period),
            Yaml::Variable(name) => format!("${{{name}}}"),
            Yaml::File(name) => quoted(&self.files.path(name).to_string_lossy()),
            Yaml::Map(map) if map.is_empty() => "{}".to_owned(),
            Yaml::Map(_) => return None,
            Yaml::List(items) => {
                let is_scalar = |item: &Yaml| !matches!(item, Yaml::List(_) | Yaml::Map(_) | Yaml::Variable(_));
                if !items.iter().all(is_scalar) {
                    return None;
                }
                let items: Option<Vec<String>> = items.iter().map(|item| self.inline(item)).collect();
                format!("[{}]", items?.join(", "))
            }
        })
    }
}

/// A text as a scalar. `${` is written as `$${`, because the file has variables.
fn quoted(text: &str) -> String {
    if is_word(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.replace("${", "$${").chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // YAML 1.2.2 §5.1 and §5.4: what is not printable, and what some readers take for a line break.
            letter
                if letter.is_control()
                    || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                let _ = write!(quoted, "\\U{:08x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text means itself without quotes, in a block and between brackets: it begins with a letter, `/` or `_`, has only letters, digits and
/// a few signs, and is none of the words that mean something else.
fn is_word(text: &str) -> bool {
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || matches!(letter, '/' | '_'));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./@".contains(&byte);
    // A colon is plain between two plain characters: `https://login.example.com:8443`, `app:80`.
    let colons = text.split(':').all(|part| !part.is_empty() && part.bytes().all(is_plain));
    let lower = text.to_ascii_lowercase();
    let means_else = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&&*lower);
    begins && colons && !means_else
}

#[cfg(test)]
mod tests;
