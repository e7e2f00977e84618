//! Value types that several sections use.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize as _;

use crate::clock::period_text;
use crate::secret::Secret;

/// A list whose items know their index in the file, even if invalid items were skipped.
#[derive(Debug)]
pub(crate) struct List<T> {
    items: Vec<(usize, T)>,
    complete: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), complete: true }
    }
}

impl<T> List<T> {
    /// A list that is not in the file.
    pub(crate) fn of(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().enumerate().collect(), complete: true }
    }

    /// The items with their index in the file.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &T)> {
        self.items.iter().map(|(index, item)| (*index, item))
    }

    /// The items.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items.into_iter().map(|(_, item)| item).collect()
    }

    /// Whether no invalid item was skipped.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the list in the file is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.complete
    }

    /// The number of valid items.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

impl List<String> {
    /// The items without their indexes.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.iter().map(|(_, text)| text.clone()).collect()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `shape` replaces each invalid item with null.
        let all = Vec::<Option<T>>::deserialize(deserializer)?;
        let complete = all.iter().all(Option::is_some);
        let items = all.into_iter().enumerate().filter_map(|(index, item)| item.map(|item| (index, item))).collect();
        Ok(Self { items, complete })
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(_, item)| item))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

/// A duration as written in the file: `8h`, `1h30m`, `500ms`, or a number of seconds.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Period {
    Seconds(u64),
    Text(String),
}

impl From<Duration> for Period {
    fn from(period: Duration) -> Self {
        Self::Text(period_text(period))
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Period")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "title": "time",
            "pattern": "^([0-9]+(ms|s|m|h|d))+$",
            "minimum": 0,
        })
    }
}

/// Text that may also be written as a number, such as a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TextOrNumber(pub(crate) String);

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Text(String),
        }
        Either::deserialize(deserializer).map(|either| match either {
            Either::Number(number) => Self(number.to_string()),
            Either::Text(text) => Self(text),
        })
    }
}

impl JsonSchema for TextOrNumber {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("TextOrNumber")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

/// One text or a list of texts.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("OneOrMany")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

/// A text, a whole number or a truth value, each as what it is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Truth(bool),
    Integer(i64),
    Text(String),
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Scalar")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

/// A secret written in the file itself.
#[derive(Clone)]
pub(crate) struct SecretText(pub(crate) Secret<String>);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        let secret = Secret::new(text.clone());
        text.zeroize();
        Ok(Self(secret))
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("SecretText")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}
