//! Validates the tree against the JSON schema of the raw types, and returns the valid parts.
//!
//! The schema is the only description of the shape of the file: editors, `docs/CONFIG.md` and this module use the
//! same one. An invalid value is reported and skipped, together with the values that need it, so that `validate`
//! still checks the rest in the same run. This module knows no setting by name. Start at [`check`].
//!
//! `schema` says which keywords are checked. `pattern` is for editors only; `validate` parses the text instead, which gives
//! better messages.

use serde_json::{Map, Value as Json};

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::document::scalar;
use crate::config::document::schema::{Schema, Types};
use crate::config::document::suggest;
use crate::config::document::tree::{Entry, Node, Value};

/// The valid part of the file as JSON.
pub(crate) fn check(root: &Node, schema: &Json, found: &mut Findings) -> Result<Json, Reported> {
    Checker { found }.value(root, Schema::root(schema), &Path::default())
}

/// Of a key that is not shown.
const UNKNOWN_KEY: &str = "unknown key, or the rest of the value in front of it";

struct Checker<'f> {
    found: &'f mut Findings,
}

impl Checker<'_> {
    fn value(&mut self, node: &Node, schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let schema = schema.resolve();
        if schema.is_anything() {
            return Ok(plain(node));
        }
        // A variable that is not set has been reported. Its name is no value.
        if matches!(node.value, Value::Substituted { .. })
            && let Some(reported) = self.found.concern(path)
        {
            return Err(reported);
        }
        if let Some(alternatives) = schema.alternatives() {
            return self.one_of(node, schema, &alternatives, path);
        }
        if let Some(choices) = schema.choices() {
            return self.choice(node, schema, &choices, path);
        }
        self.typed(node, schema, path)
    }

    fn typed(&mut self, node: &Node, schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let types = schema.types();
        match &node.value {
            Value::Mapping(entries) if types.object => self.object(entries, schema, path),
            Value::Sequence(items) if types.array => self.array(items, schema, path),
            Value::String(text) if types.string => Ok(Json::from(text.as_str())),
            Value::Integer(number) if types.integer => self.integer(*number, schema, path),
            Value::Integer(number) if types.number => self.real(*number as f64, schema, path),
            Value::Float(number) if types.number => self.real(*number, schema, path),
            Value::Bool(truth) if types.boolean => Ok(Json::from(*truth)),
            Value::Substituted { text, .. } => self.substituted(node, text, schema, path),
            _ => self.mismatch(node, schema, types, path),
        }
    }

    /// The value of an environment variable is converted to the expected type, if possible.
    fn substituted(&mut self, node: &Node, text: &str, schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let types = schema.types();
        match (scalar::integer(text), text) {
            _ if types.string => Ok(Json::from(text)),
            (Some(number), _) if types.integer => self.integer(number, schema, path),
            _ if types.number => match text.parse() {
                Ok(number) => self.real(number, schema, path),
                Err(_) => self.mismatch(node, schema, types, path),
            },
            (_, "true" | "false") if types.boolean => Ok(Json::from(text == "true")),
            _ => self.mismatch(node, schema, types, path),
        }
    }

    fn mismatch(&mut self, node: &Node, schema: Schema<'_>, types: Types, path: &Path) -> Result<Json, Reported> {
        let problem = self.found.problem(path, format!("expected {}, found {}", types.name(), kind(node)));
        let hint = match &node.value {
            // The schema takes numbers as numbers. Text in quotes would be another value.
            Value::Float(_) if types.string && types.integer && types.boolean => {
                Some("numbers with a fraction cannot be compared; let the claim be text or a whole number".to_owned())
            }
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) if types.string => Some("put it in quotes".to_owned()),
            Value::String(_) | Value::Integer(_) | Value::Bool(_) if types == Types::LIST => {
                Some("write a list: `[a]`, `[a, b]`".to_owned())
            }
            Value::Mapping(_) if types.array => {
                Some("put `-` before it, or `[ ]` around it, to make it a list".to_owned())
            }
            Value::Sequence(_) if types == Types::OBJECT => Some("write one mapping here, not a list".to_owned()),
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) if types == Types::OBJECT => {
                members(schema)
            }
            Value::String(text) if types.array && !text.contains('\n') => {
                Some("write a list: `[a]`, `[a, b]`".to_owned())
            }
            Value::String(text) if types.integer && scalar::integer(text).is_some() => {
                Some("write it without quotes".to_owned())
            }
            Value::String(text) if types.boolean => truth_value(text).map(|truth| format!("did you mean `{truth}`?")),
            _ => None,
        };
        problem.maybe_hint(hint).fail()
    }

    fn integer(&mut self, number: i64, schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let (least, most) = schema.bounds();
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, most) => format!("at most {}", most.unwrap_or(i64::MAX)),
            };
            return self.found.problem(path, format!("{number} is out of range: {range}")).fail();
        }
        Ok(Json::from(number))
    }

    fn real(&mut self, number: f64, schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let (least, most) = schema.real_bounds();
        if !(least..=most).contains(&number) {
            return self.found.problem(path, format!("{number} is out of range: {least} to {most}")).fail();
        }
        Ok(Json::from(number))
    }

    /// An item that is invalid becomes null, so that the others keep their index. Where text may stand in place of the list, its items
    /// are one value, for example the steps of a path: then an invalid item makes the whole list invalid.
    fn array(&mut self, items: &[Node], schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let mut sound = Vec::with_capacity(items.len());
        let mut invalid = None;
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            let checked = if item.value == Value::Null {
                self.found.problem(&path, "this item is empty").hint("`-` must be followed by a value").fail()
            } else {
                self.value(item, schema.items(), &path)
            };
            sound.push(checked.unwrap_or_else(|reported| {
                invalid = Some(reported);
                Json::Null
            }));
        }
        match invalid {
            Some(reported) if schema.types().string => Err(reported),
            _ => Ok(Json::Array(sound)),
        }
    }

    fn object(&mut self, entries: &[Entry], schema: Schema<'_>, path: &Path) -> Result<Json, Reported> {
        let required = schema.required();
        let mut sound = Map::new();
        let mut meant = Vec::new();
        for entry in entries {
            if let Some(secret) = schema.secret_in(&entry.key) {
                let message = format!("unknown key `{secret}` with something behind it");
                let problem = self.found.problem_in_text(Some(entry.key_span), path, message);
                let _ = problem.hint(format!("write a blank behind the colon: `{secret}: …`"));
                continue;
            }
            let within = path.key(&entry.key);
            match schema.key(&entry.key).or_else(|| schema.further()) {
                Some(_) if entry.value.value == Value::Null => {
                    // `rules:` without a value means that `rules` is not set.
                    if required.contains(&entry.key.as_str()) || schema.key(&entry.key).is_none() {
                        self.found.problem_at_key(&within, format!("`{}` has no value", entry.key));
                    }
                }
                Some(below) => {
                    if let Ok(value) = self.value(&entry.value, below, &within) {
                        sound.insert(entry.key.clone(), value);
                    }
                }
                None if schema.is_free(&entry.key) => {}
                None => meant.extend(self.unknown(entry, schema, entries, path)),
            }
        }
        let given = |name: &str| entries.iter().any(|entry| entry.key == name);
        let mut whole = Ok(Json::Null);
        for name in required.into_iter().filter(|name| !sound.contains_key(*name)) {
            // What was given has been reported, and so has a misspelled key.
            let reported = if given(name) || meant.contains(&name) {
                self.found.concern(&path.key(name)).or_else(|| self.found.concern_keys_of(path))
            } else {
                None
            };
            whole = Err(reported.unwrap_or_else(|| {
                let problem = self.found.problem(path, format!("`{name}` is missing"));
                problem.maybe_hint(schema.key(name).and_then(Schema::purpose)).reported()
            }));
        }
        whole.map(|_| Json::Object(sound))
    }

    /// Reports an unknown key. Returns the key that was probably meant.
    fn unknown<'s>(
        &mut self,
        Entry { key, key_span, .. }: &Entry,
        schema: Schema<'s>,
        entries: &[Entry],
        path: &Path,
    ) -> Option<&'s str> {
        // A key that is already set was not meant.
        let given = |name: &&str| entries.iter().any(|entry| entry.key == **name);
        let free: Vec<&str> = schema.keys().filter(|name| !given(name)).collect();
        let known = schema.hint_for(key).map(str::to_owned);
        let hint = match suggest::nearest(key, schema.keys().filter(given)) {
            _ if known.is_some() => known,
            Some(known) if suggest::nearest(key, free.iter().copied()).is_none() => {
                Some(format!("`{known}` is already set"))
            }
            _ => suggest::hint(key, free.iter().copied()),
        };
        let problem = self.found.problem_at_key(&path.key(key), format!("unknown key `{key}`")).maybe_hint(hint);
        let meant = suggest::nearest(key, free);
        problem.meant(meant.map(|name| path.key(name))).unless_shown(vec![*key_span], path, UNKNOWN_KEY);
        meant
    }

    /// Alternatives of one of three kinds: texts, mappings with a `type` member, mappings with one key.
    fn one_of(
        &mut self,
        node: &Node,
        schema: Schema<'_>,
        alternatives: &[Schema<'_>],
        path: &Path,
    ) -> Result<Json, Reported> {
        let choices: Option<Vec<Vec<&str>>> = alternatives.iter().map(|alternative| alternative.choices()).collect();
        if let Some(choices) = choices {
            return self.choice(node, schema, &choices.concat(), path);
        }
        if !matches!(node.value, Value::Mapping(_)) {
            return self.mismatch(node, schema, Types::OBJECT, path);
        }
        match Schema::tag(alternatives) {
            Some(tag) => self.tagged(node, tag, schema, alternatives, path),
            None => self.single(node, alternatives, path),
        }
    }

    fn tagged(
        &mut self,
        node: &Node,
        tag: &str,
        schema: Schema<'_>,
        alternatives: &[Schema<'_>],
        path: &Path,
    ) -> Result<Json, Reported> {
        let all: Vec<&str> = alternatives.iter().map(|alternative| alternative.tag_value(tag)).collect();
        let Some(given) = node.get(tag) else {
            let hint = suggest::hint("", all);
            return self.found.problem(path, format!("`{tag}` is missing")).maybe_hint(hint).fail();
        };
        let chosen = self.choice(given, schema, &all, &path.key(tag))?;
        let is_chosen = |alternative: &&Schema<'_>| chosen == alternative.tag_value(tag);
        let alternative = alternatives.iter().find(is_chosen).expect("the choice is the tag of an alternative");
        self.object(node.entries(), *alternative, path)
    }

    fn single(&mut self, node: &Node, alternatives: &[Schema<'_>], path: &Path) -> Result<Json, Reported> {
        let name = |alternative: &Schema<'_>| alternative.required().first().copied().unwrap_or_default().to_owned();
        match node.entries() {
            [entry] => match alternatives.iter().find(|alternative| name(alternative) == entry.key) {
                Some(alternative) => self.object(node.entries(), *alternative, path),
                None => {
                    let names: Vec<String> = alternatives.iter().map(name).collect();
                    let hint = suggest::hint(&entry.key, names.iter().map(String::as_str));
                    let within = path.key(&entry.key);
                    let problem = self.found.problem_at_key(&within, format!("unknown key `{}`", entry.key));
                    problem.maybe_hint(hint).unless_shown(vec![entry.key_span], path, UNKNOWN_KEY).fail()
                }
            },
            entries => {
                let keys: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.key)).collect();
                let message = match keys.len() {
                    0 => String::from("expected one key, found none"),
                    _ => format!("expected one key, found {}", keys.join(" and ")),
                };
                let problem = self.found.problem(path, message).hint("write a separate list item (`-`) for each");
                let spans = entries.iter().map(|entry| entry.key_span).collect();
                problem.unless_shown(spans, path, "expected one key, found several").fail()
            }
        }
    }

    fn choice(&mut self, node: &Node, schema: Schema<'_>, all: &[&str], path: &Path) -> Result<Json, Reported> {
        let (text, written) = match &node.value {
            Value::String(text) => (text.clone(), text.clone()),
            Value::Substituted { text, written } => (text.clone(), written.clone()),
            Value::Integer(number) => (number.to_string(), number.to_string()),
            _ => {
                let problem = self.found.problem(path, format!("expected text, found {}", kind(node)));
                return problem.maybe_hint(suggest::hint("", all.iter().copied())).fail();
            }
        };
        if all.contains(&text.as_str()) {
            return Ok(Json::from(text));
        }
        let known = schema.hint_for(&text).map(str::to_owned);
        let hint = known.or_else(|| suggest::hint(&text, all.iter().copied()));
        self.found.problem(path, format!("unknown value `{written}`")).maybe_hint(hint).fail()
    }
}

/// How to write a mapping with these members.
fn members(schema: Schema<'_>) -> Option<String> {
    let all: Vec<String> = schema.keys().map(|name| format!("`{name}`")).collect();
    let (some, more) = if all.len() > MEMBERS_SHOWN { (&all[..MEMBERS_SHOWN], ", …") } else { (&all[..], "") };
    let first = schema.keys().next()?;
    Some(format!(
        "write `{first}: …` on a line below it, indented, or `{{ {first}: … }}`; its keys are {}{more}",
        some.join(", ")
    ))
}

/// Members of a mapping that a hint names, at most.
const MEMBERS_SHOWN: usize = 12;

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
