//! YAML with several documents, as trees of JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::document::findings::Findings;
use crate::config::document::parse;
use crate::config::document::scalar::Environment;
use crate::config::document::tree;
use crate::import::text::Input;

/// Reads all documents of a file. YAML 1.2.2 §9.1.2: a line that begins with `---` is a marker, whatever is open above it.
///
/// # Errors
///
/// In a sentence, with the line.
pub(crate) fn yaml(input: &Input) -> Result<Vec<Value>, String> {
    let mut documents = Vec::new();
    let (mut start, mut text) = (0, String::new());
    let mut read = |start: usize, text: &str| -> Result<(), String> {
        let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if !text.lines().all(is_empty) {
            documents.push(document(&input.name, start, text)?);
        }
        Ok(())
    };
    for (number, line) in input.text.lines().enumerate() {
        let is_marker = |marker: &str| {
            line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        if is_marker("---") || is_marker("...") {
            read(start, &text)?;
            (start, text) = (number, format!("   {}", &line[3..]));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    read(start, &text)?;
    Ok(documents)
}

fn document(file: &str, start: usize, text: &str) -> Result<Value, String> {
    let mut found = Findings::default();
    // `${` means nothing here.
    let text = text.replace("${", "$${");
    let parsed = parse::parse(&text, &Environment::Given(BTreeMap::new()), &mut found);
    let problem = found.located(None).into_iter().next().map(|problem| {
        let before =
            problem.span.and_then(|span| text.get(..span.start)).map_or(0, |before| before.matches('\n').count());
        format!("{file}: line {}: {}", start + before + 1, problem.message)
    });
    match (parsed, problem) {
        (Ok(parsed), None) => Ok(value(&parsed.root)),
        (_, problem) => Err(problem.unwrap_or_else(|| format!("{file}: it is not YAML"))),
    }
}

fn value(node: &tree::Node) -> Value {
    match &node.value {
        tree::Value::Null => Value::Null,
        tree::Value::Bool(flag) => Value::Bool(*flag),
        tree::Value::Integer(number) => Value::from(*number),
        tree::Value::Float(number) => Value::from(*number),
        tree::Value::String(text) | tree::Value::Substituted { text, .. } => Value::from(text.as_str()),
        tree::Value::Sequence(items) => Value::Array(items.iter().map(value).collect()),
        tree::Value::Mapping(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), value(&entry.value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<Value>, String> {
        yaml(&Input { name: "a.yaml".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn documents_are_read_one_by_one() {
        assert_eq!(read("a: 1\n---\n# nothing\n---\nb: ${x}\n").unwrap(), [json!({"a": 1}), json!({"b": "${x}"})]);
        assert_eq!(
            read("--- {a: \"--- b\"}\n...\n---\nc: |\n  x\n  --- y\n").unwrap(),
            [json!({"a": "--- b"}), json!({"c": "x\n--- y\n"})]
        );
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_mistake_has_its_line() {
        assert_eq!(read("a: 1\n---\nb: 1\nb: 2\n").unwrap_err(), "a.yaml: line 4: the key `b` is set twice");
        assert!(read("a: [\n").unwrap_err().starts_with("a.yaml: line "));
    }
}
