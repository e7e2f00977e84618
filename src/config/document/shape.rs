//! Validates the tree against the JSON Schema of the raw types, and returns the valid parts.
//!
//! The schema is the only description of the shape of the file: editors, `docs/CONFIG.md` and this module use the
//! same one. An invalid value is reported and skipped, together with the values that need it, so that `validate`
//! still checks the rest in the same run. This module knows no setting by name. Start at [`check`].
//!
//! Supports the part of JSON Schema that `schemars` generates for our types: `$ref`, `type`, `properties`,
//! `required`, `additionalProperties`, `patternProperties` (prefixes), `items`, `enum`, `const`, `oneOf`, `anyOf`
//! with null, `minimum`, `maximum`. `pattern` is for editors only; this code parses the text instead, which gives
//! better messages.

use serde_json::{Map, Value as Json};

use crate::config::document::findings::Findings;
use crate::config::document::path::Path;
use crate::config::document::scalar;
use crate::config::document::suggest;
use crate::config::document::tree::{Entry, Node, Value};

/// The valid part of the file as JSON. `None` if nothing is left.
pub(crate) fn check(root: &Node, schema: &Json, found: &mut Findings) -> Option<Json> {
    Checker { definitions: &schema["$defs"], found }.value(root, schema, &Path::default())
}

struct Checker<'s, 'f> {
    definitions: &'s Json,
    found: &'f mut Findings,
}

impl<'s> Checker<'s, '_> {
    /// `None` if the value is invalid. The problem is then reported.
    fn value(&mut self, node: &Node, schema: &'s Json, path: &Path) -> Option<Json> {
        let schema = self.resolve(schema);
        if schema.as_bool() == Some(true) {
            return Some(plain(node));
        }
        if let Some(alternatives) = schema["oneOf"].as_array() {
            return self.one_of(node, alternatives, path);
        }
        if schema.get("const").is_some() || schema["enum"].is_array() {
            return self.choice(node, &choices(schema), path);
        }
        self.typed(node, schema, path)
    }

    fn typed(&mut self, node: &Node, schema: &'s Json, path: &Path) -> Option<Json> {
        match (&node.value, Types::of(schema)) {
            (Value::Mapping(entries), types) if types.object => self.object(entries, schema, path),
            (Value::Sequence(items), types) if types.array => Some(self.array(items, schema, path)),
            (Value::String(text), types) if types.string => Some(Json::from(text.as_str())),
            (Value::Integer(number), types) if types.integer => self.integer(*number, schema, path),
            (Value::Bool(truth), types) if types.boolean => Some(Json::from(*truth)),
            // The value of an environment variable is converted to the expected type, if possible.
            (Value::Substituted { text, .. }, types) => match (scalar::integer(text), text.as_str()) {
                _ if types.string => Some(Json::from(text.as_str())),
                (Some(number), _) if types.integer => self.integer(number, schema, path),
                (_, "true" | "false") if types.boolean => Some(Json::from(text == "true")),
                _ => self.mismatch(node, types, path),
            },
            (_, types) => self.mismatch(node, types, path),
        }
    }

    fn mismatch(&mut self, node: &Node, types: Types, path: &Path) -> Option<Json> {
        let problem = self.found.problem(path, format!("expected {}, found {}", types.name(), kind(node)));
        match &node.value {
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) if types.string => {
                problem.hint("put it in quotes");
            }
            Value::String(text) if types.array && !text.contains('\n') => {
                problem.hint("write a list: `[a]`, `[a, b]`");
            }
            Value::String(text) if types.integer && scalar::integer(text).is_some() => {
                problem.hint("write it without quotes");
            }
            Value::String(text) if types.boolean => {
                problem.maybe_hint(truth_value(text).map(|truth| format!("did you mean `{truth}`?")));
            }
            _ => {}
        }
        None
    }

    fn integer(&mut self, number: i64, schema: &Json, path: &Path) -> Option<Json> {
        let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, most) => format!("at most {}", most.unwrap_or(i64::MAX)),
            };
            self.found.problem(path, format!("{number} is out of range: {range}"));
            return None;
        }
        Some(Json::from(number))
    }

    fn array(&mut self, items: &[Node], schema: &'s Json, path: &Path) -> Json {
        let mut sound = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            if item.value == Value::Null {
                self.found.problem(&path, "this item is empty").hint("`-` must be followed by a value");
                sound.push(Json::Null);
            } else {
                sound.push(self.value(item, &schema["items"], &path).unwrap_or(Json::Null));
            }
        }
        Json::Array(sound)
    }

    fn object(&mut self, entries: &[Entry], schema: &'s Json, path: &Path) -> Option<Json> {
        let properties = &schema["properties"];
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let mut sound = Map::new();
        let mut meant = Vec::new();
        for entry in entries {
            let path = path.key(&entry.key);
            let below = properties.get(&entry.key).or_else(|| further(schema));
            match below {
                Some(_) if entry.value.value == Value::Null => {
                    // `rules:` without a value means that `rules` is not set.
                    if required.contains(&entry.key.as_str()) || properties.get(&entry.key).is_none() {
                        self.found.problem_at_key(&path, format!("`{}` has no value", entry.key));
                    }
                }
                Some(below) => {
                    if let Some(value) = self.value(&entry.value, below, &path) {
                        sound.insert(entry.key.clone(), value);
                    }
                }
                None if is_own(schema, &entry.key) => {}
                None => meant.extend(self.unknown(&entry.key, properties, entries, &path)),
            }
        }
        let mut whole = true;
        for name in required {
            if !sound.contains_key(name) {
                whole = false;
                // A misspelled key is already reported.
                if !entries.iter().any(|entry| entry.key == name) && !meant.contains(&name) {
                    let problem = self.found.problem(path, format!("`{name}` is missing"));
                    problem.maybe_hint(purpose(&properties[name]));
                }
            }
        }
        whole.then_some(Json::Object(sound))
    }

    /// Reports an unknown key. Returns the key that was probably meant.
    fn unknown(&mut self, key: &str, properties: &'s Json, entries: &[Entry], path: &Path) -> Option<&'s str> {
        // A key that is already set was not meant.
        let given = |name: &str| entries.iter().any(|entry| entry.key == name);
        let names = properties.as_object().into_iter().flat_map(Map::keys);
        let free: Vec<&str> = names.clone().map(String::as_str).filter(|name| !given(name)).collect();
        let hint = match suggest::nearest(key, names.clone().map(String::as_str).filter(|name| given(name))) {
            Some(known) if suggest::nearest(key, free.iter().copied()).is_none() => {
                Some(format!("`{known}` is already set"))
            }
            _ => suggest::hint(key, free.iter().copied()),
        };
        self.found.problem_at_key(path, format!("unknown key `{key}`")).maybe_hint(hint);
        suggest::nearest(key, free)
    }

    /// Alternatives of one of three kinds: texts, mappings with a `type` member, mappings with one key.
    fn one_of(&mut self, node: &Node, alternatives: &'s [Json], path: &Path) -> Option<Json> {
        if alternatives.iter().all(|alternative| alternative.get("const").is_some() || alternative["enum"].is_array()) {
            let all: Vec<&str> = alternatives.iter().flat_map(choices).collect();
            return self.choice(node, &all, path);
        }
        if !matches!(node.value, Value::Mapping(_)) {
            let types = Types { object: true, ..Types::default() };
            return self.mismatch(node, types, path);
        }
        match tag(alternatives) {
            Some(tag) => self.tagged(node, tag, alternatives, path),
            None => self.single(node, alternatives, path),
        }
    }

    fn tagged(&mut self, node: &Node, tag: &str, alternatives: &'s [Json], path: &Path) -> Option<Json> {
        let value = |alternative: &'s Json| alternative["properties"][tag]["const"].as_str().unwrap_or_default();
        let all: Vec<&str> = alternatives.iter().map(value).collect();
        let Some(given) = node.get(tag) else {
            let hint = suggest::hint("", all);
            self.found.problem(path, format!("`{tag}` is missing")).maybe_hint(hint);
            return None;
        };
        let chosen = self.choice(given, &all, &path.key(tag))?;
        let alternative = alternatives.iter().find(|alternative| Some(value(alternative)) == chosen.as_str())?;
        self.object(node.entries(), alternative, path)
    }

    fn single(&mut self, node: &Node, alternatives: &'s [Json], path: &Path) -> Option<Json> {
        let name = |alternative: &'s Json| alternative["required"][0].as_str().unwrap_or_default();
        match node.entries() {
            [entry] => match alternatives.iter().find(|alternative| name(alternative) == entry.key) {
                Some(alternative) => self.object(node.entries(), alternative, path),
                None => {
                    let hint = suggest::hint(&entry.key, alternatives.iter().map(name));
                    let path = path.key(&entry.key);
                    self.found.problem_at_key(&path, format!("unknown key `{}`", entry.key)).maybe_hint(hint);
                    None
                }
            },
            entries => {
                let keys: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.key)).collect();
                let message = match keys.len() {
                    0 => String::from("expected one key, found none"),
                    _ => format!("expected one key, found {}", keys.join(" and ")),
                };
                self.found.problem(path, message).hint("write a separate list item (`-`) for each");
                None
            }
        }
    }

    fn choice(&mut self, node: &Node, all: &[&str], path: &Path) -> Option<Json> {
        let (text, written) = match &node.value {
            Value::String(text) => (text.clone(), text.clone()),
            Value::Substituted { text, written } => (text.clone(), written.clone()),
            Value::Integer(number) => (number.to_string(), number.to_string()),
            _ => return self.mismatch(node, Types { string: true, ..Types::default() }, path),
        };
        if all.contains(&text.as_str()) {
            return Some(Json::from(text));
        }
        let hint = elsewhere(&text).map(str::to_owned).or_else(|| suggest::hint(&text, all.iter().copied()));
        self.found.problem(path, format!("unknown value `{written}`")).maybe_hint(hint);
        None
    }

    /// Resolves references, and removes null from optional types.
    fn resolve(&self, schema: &'s Json) -> &'s Json {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.resolve(&self.definitions[name]);
        }
        match schema["anyOf"].as_array() {
            Some(alternatives) => alternatives
                .iter()
                .find(|alternative| alternative["type"] != "null")
                .map_or(schema, |alternative| self.resolve(alternative)),
            None => schema,
        }
    }
}

/// The JSON types that a schema allows.
#[derive(Clone, Copy, Default)]
struct Types {
    array: bool,
    boolean: bool,
    integer: bool,
    object: bool,
    string: bool,
}

impl Types {
    fn of(schema: &Json) -> Self {
        let has = |name: &str| match &schema["type"] {
            Json::String(only) => only == name,
            Json::Array(several) => several.iter().any(|one| one == name),
            _ => false,
        };
        Self {
            array: has("array"),
            boolean: has("boolean"),
            integer: has("integer"),
            object: has("object"),
            string: has("string"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self { object: true, string: true, .. } => "text, a list or a mapping",
            Self { object: true, .. } => "a mapping (`key: value`)",
            Self { array: true, string: true, .. } => "text or a list",
            Self { array: true, .. } => "a list",
            Self { string: true, integer: true, boolean: true, .. } => "text, a whole number, `true` or `false`",
            Self { string: true, integer: true, .. } => "text or a whole number",
            Self { integer: true, .. } => "a whole number",
            Self { boolean: true, .. } => "`true` or `false`",
            _ => "text",
        }
    }
}

/// The schema of the values of a mapping with arbitrary keys.
fn further(schema: &Json) -> Option<&Json> {
    schema.get("additionalProperties").filter(|further| further.as_bool() != Some(false))
}

/// Whether the key is free for any use.
fn is_own(schema: &Json, key: &str) -> bool {
    let prefixes = schema["patternProperties"].as_object();
    prefixes.is_some_and(|all| all.keys().any(|pattern| key.starts_with(pattern.trim_start_matches('^'))))
}

/// The member whose value selects the alternative.
fn tag(alternatives: &[Json]) -> Option<&str> {
    let properties = alternatives.first()?["properties"].as_object()?;
    properties.iter().find(|(_, schema)| schema.get("const").is_some()).map(|(name, _)| name.as_str())
}

fn choices(schema: &Json) -> Vec<&str> {
    let several = schema["enum"].as_array().into_iter().flatten();
    several.chain(schema.get("const")).filter_map(Json::as_str).collect()
}

/// The first sentence of the documentation of a key.
fn purpose(schema: &Json) -> Option<String> {
    let text = schema["description"].as_str()?.replace('\n', " ");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    Some(text[..end].trim_end_matches('.').to_owned())
}

/// Names of the AWS load balancer that differ here.
fn elsewhere(value: &str) -> Option<&'static str> {
    match value {
        "authenticate-cognito" => Some(
            "use `authenticate-oidc` for Amazon Cognito, or `authenticate-user-pool` for a user pool of this process",
        ),
        "fixed_response" => Some("did you mean `fixed-response`?"),
        _ => None,
    }
}

fn truth_value(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => Some(true),
        "no" | "off" | "false" => Some(false),
        _ => None,
    }
}

fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::String(_) | Value::Substituted { .. } => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
    }
}

/// Any value as JSON.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::from(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::String(text) | Value::Substituted { text, .. } => Json::from(text.as_str()),
        Value::Sequence(items) => items.iter().map(plain).collect(),
        Value::Mapping(entries) => entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect(),
    }
}
