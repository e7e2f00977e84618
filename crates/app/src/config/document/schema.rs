//! Reads the JSON schema that the document is held against.
//!
//! This is the part of JSON Schema that `schemars` makes of our types, no more: `$ref`, `type`, `properties`, `required`,
//! `additionalProperties`, `patternProperties` (prefixes), `items`, `enum`, `const`, `oneOf`, `anyOf` with null, `minimum`,
//! `maximum`, `writeOnly`. A test fails if a type uses another keyword (`config/tests/keywords.rs`).

use serde_json::{Map, Value as Json};

/// A schema, and the definitions that it refers to.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'s> {
    json: &'s Json,
    definitions: &'s Json,
}

impl<'s> Schema<'s> {
    /// The schema of a whole document.
    pub(crate) fn root(json: &'s Json) -> Self {
        Self { json, definitions: &json["$defs"] }
    }

    fn with(self, json: &'s Json) -> Self {
        Self { json, ..self }
    }

    /// Follows references, and removes null from optional types.
    pub(crate) fn resolve(self) -> Self {
        if let Some(reference) = self.json["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.with(&self.definitions[name]).resolve();
        }
        let several = self.json["anyOf"].as_array().into_iter().flatten();
        match several.into_iter().find(|one| one["type"] != "null") {
            Some(one) => self.with(one).resolve(),
            None => self,
        }
    }

    /// Whether any value is allowed.
    pub(crate) fn is_anything(self) -> bool {
        self.json.as_bool() == Some(true)
    }

    /// Whether the value is a secret, which nothing may show.
    pub(crate) fn is_secret(self) -> bool {
        self.json["writeOnly"].as_bool() == Some(true)
    }

    /// The alternatives of `oneOf`.
    pub(crate) fn alternatives(self) -> Option<Vec<Self>> {
        Some(self.json["oneOf"].as_array()?.iter().map(|one| self.with(one)).collect())
    }

    /// The texts that are allowed, if only some are.
    pub(crate) fn choices(self) -> Option<Vec<&'s str>> {
        let several = self.json["enum"].as_array();
        let one = self.json.get("const");
        let all = several.into_iter().flatten().chain(one).filter_map(Json::as_str);
        (several.is_some() || one.is_some()).then(|| all.collect())
    }

    /// What to say about a text that is not among the choices, but is known from elsewhere.
    pub(crate) fn hint_for(self, text: &str) -> Option<&'s str> {
        self.json["x-hints"][text].as_str()
    }

    /// The member whose value selects one of these alternatives.
    pub(crate) fn tag(alternatives: &[Self]) -> Option<&'s str> {
        let properties = alternatives.first()?.json["properties"].as_object()?;
        properties.iter().find(|(_, property)| property.get("const").is_some()).map(|(name, _)| name.as_str())
    }

    /// The value of the member [`tag`](Self::tag) for this alternative.
    pub(crate) fn tag_value(self, tag: &str) -> &'s str {
        self.json["properties"][tag]["const"].as_str().unwrap_or_default()
    }

    /// The names of the keys that a mapping may have.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'s str> + Clone {
        self.json["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The schema of the value of a key.
    pub(crate) fn key(self, key: &str) -> Option<Self> {
        Some(self.with(self.json["properties"].get(key)?))
    }

    /// The name of a secret in a key such as `client_secret:hunter2`, where the blank behind the colon is missing.
    pub(crate) fn secret_in(self, key: &str) -> Option<&'s str> {
        let begins = |name: &&str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', '=']));
        self.keys().filter(begins).find(|name| self.key(name).is_some_and(|below| below.resolve().is_secret()))
    }

    /// Whether a mapping may have the key.
    pub(crate) fn has(self, key: &str) -> bool {
        self.is_anything() || self.key(key).or_else(|| self.further()).is_some()
    }

    /// The schema of the values of a mapping with arbitrary keys.
    pub(crate) fn further(self) -> Option<Self> {
        let further = self.json.get("additionalProperties")?;
        (further.as_bool() != Some(false)).then(|| self.with(further))
    }

    /// Whether the key is free for any use.
    pub(crate) fn is_free(self, key: &str) -> bool {
        let prefixes = self.json["patternProperties"].as_object();
        prefixes.is_some_and(|all| all.keys().any(|pattern| key.starts_with(pattern.trim_start_matches('^'))))
    }

    /// The keys that a mapping must have.
    pub(crate) fn required(self) -> Vec<&'s str> {
        self.json["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// The schema of the items of a list.
    pub(crate) fn items(self) -> Self {
        self.with(&self.json["items"])
    }

    /// The least and the greatest number.
    pub(crate) fn bounds(self) -> (Option<i64>, Option<i64>) {
        (self.json["minimum"].as_i64(), self.json["maximum"].as_i64())
    }

    /// The same for a number with a fraction.
    pub(crate) fn real_bounds(self) -> (f64, f64) {
        let bound = |key: &str, none| self.json[key].as_f64().unwrap_or(none);
        (bound("minimum", f64::MIN), bound("maximum", f64::MAX))
    }

    /// The first sentence of the documentation.
    pub(crate) fn purpose(self) -> Option<String> {
        let text = self.json["description"].as_str()?.replace('\n', " ");
        let end = text.find(". ").map_or(text.len(), |at| at + 1);
        Some(text[..end].trim_end_matches('.').to_owned())
    }

    /// The types that are allowed.
    pub(crate) fn types(self) -> Types {
        let has = |name: &str| match &self.json["type"] {
            Json::String(only) => only == name,
            Json::Array(several) => several.iter().any(|one| one == name),
            _ => false,
        };
        Types {
            array: has("array"),
            boolean: has("boolean"),
            integer: has("integer"),
            number: has("number"),
            object: has("object"),
            string: has("string"),
        }
    }
}

/// The JSON types that a schema allows.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Types {
    pub(crate) array: bool,
    pub(crate) boolean: bool,
    pub(crate) integer: bool,
    /// With or without a fraction.
    pub(crate) number: bool,
    pub(crate) object: bool,
    pub(crate) string: bool,
}

impl Types {
    /// Only a mapping.
    pub(crate) const OBJECT: Self = Self { object: true, ..Self::NONE };
    /// Only a list.
    pub(crate) const LIST: Self = Self { array: true, ..Self::NONE };
    const NONE: Self =
        Self { array: false, boolean: false, integer: false, number: false, object: false, string: false };

    /// What the operator calls them.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self { object: true, string: true, .. } => "text, a list or a mapping",
            Self { object: true, array: true, .. } => "a list or a mapping",
            Self { object: true, .. } => "a mapping (`key: value`)",
            Self { array: true, string: true, .. } => "text or a list",
            Self { array: true, .. } => "a list",
            Self { string: true, integer: true, boolean: true, .. } => "text, a whole number, `true` or `false`",
            Self { string: true, integer: true, .. } => "text or a whole number",
            Self { integer: true, .. } => "a whole number",
            Self { number: true, .. } => "a number",
            Self { boolean: true, .. } => "`true` or `false`",
            _ => "text",
        }
    }
}
