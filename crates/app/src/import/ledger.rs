//! What became of each setting of the input: one row for each, and none is left out.

use std::collections::BTreeMap;

use serde_json::Value;

/// What became of a setting. The text says where it is now, what is different, or why it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It means the same in the result.
    Kept(String),
    /// It is in the result in another form, or with another effect.
    Changed(String),
    /// It has no effect any more.
    Dropped(String),
}

impl Fate {
    /// `kept`, `changed`, `dropped`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Kept(_) => "kept",
            Self::Changed(_) => "changed",
            Self::Dropped(_) => "dropped",
        }
    }

    /// The text.
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Kept(text) | Self::Changed(text) | Self::Dropped(text) => text,
        }
    }
}

/// A setting and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// File and place: `rules.json: Rules[0].Priority`.
    pub(crate) setting: String,
    pub(crate) fate: Fate,
}

/// Every setting of the input. Nobody has said anything about it, until somebody does.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    leaves: Vec<(String, Option<Fate>)>,
    /// Where each path is in `leaves`.
    index: BTreeMap<String, usize>,
}

/// The end of a reason for which a setting is gone and nothing has to take its place. The report only counts such settings.
pub(crate) const NOTHING_TO_SET: &str = "; nothing to set";

/// What is said of a setting that no importer knows.
pub(crate) const UNKNOWN: &str = "this importer does not know the setting";

impl Ledger {
    /// Adds all settings of a document: each scalar, and each list or mapping that is empty.
    pub(crate) fn add(&mut self, root: &At<'_>) {
        match root.value {
            Value::Object(members) if !members.is_empty() => root.entries().iter().for_each(|(_, at)| self.add(at)),
            Value::Array(items) if !items.is_empty() => root.items().iter().for_each(|at| self.add(at)),
            _ => self.add_leaf(root.path.clone()),
        }
    }

    /// Adds one setting. A path that is there already gets a number, so that no setting is lost.
    pub(crate) fn add_leaf(&mut self, path: String) {
        let mut unique = path.clone();
        let mut number = 2;
        while self.index.contains_key(&unique) {
            unique = format!("{path} ({number})");
            number += 1;
        }
        self.index.insert(unique.clone(), self.leaves.len());
        self.leaves.push((unique, None));
    }

    /// The setting, and all below it, are kept.
    pub(crate) fn kept(&mut self, path: &str, place: &str) {
        self.mark(path, &Fate::Kept(place.to_owned()));
    }

    /// The setting, and all below it, are there in another form.
    pub(crate) fn changed(&mut self, path: &str, what: &str) {
        self.mark(path, &Fate::Changed(what.to_owned()));
    }

    /// The setting, and all below it, are gone.
    pub(crate) fn dropped(&mut self, path: &str, why: &str) {
        self.mark(path, &Fate::Dropped(why.to_owned()));
    }

    /// As [`Self::kept`], without what is below it.
    pub(crate) fn kept_itself(&mut self, path: &str, place: &str) {
        self.mark_itself(path, Fate::Kept(place.to_owned()));
    }

    /// As [`Self::dropped`], without what is below it.
    pub(crate) fn dropped_itself(&mut self, path: &str, why: &str) {
        self.mark_itself(path, Fate::Dropped(why.to_owned()));
    }

    fn mark_itself(&mut self, path: &str, fate: Fate) {
        if let Some(at) = self.index.get(path) {
            self.leaves[*at].1.get_or_insert(fate);
        }
    }

    /// What was said first stays.
    fn mark(&mut self, path: &str, fate: &Fate) {
        for at in self.below(path) {
            self.leaves[at].1.get_or_insert_with(|| fate.clone());
        }
    }

    /// Nothing at or below this path has an effect any more, whatever was said before. What was dropped keeps its own reason.
    pub(crate) fn revoke(&mut self, path: &str, why: &str) {
        for at in self.below(path) {
            let fate = &mut self.leaves[at].1;
            if !matches!(fate, Some(Fate::Dropped(_))) {
                *fate = Some(Fate::Dropped(why.to_owned()));
            }
        }
    }

    /// Adds to what was said of the setting itself, if it is kept or changed: something is different.
    pub(crate) fn differs(&mut self, path: &str, what: &str) {
        let Some(at) = self.index.get(path) else { return };
        let fate = &mut self.leaves[*at].1;
        if let Some(Fate::Kept(text) | Fate::Changed(text)) = fate
            && !text.contains(what)
        {
            *fate = Some(Fate::Changed(format!("{text}; {what}")));
        }
    }

    /// The settings at or below this path of which nobody has said anything.
    pub(crate) fn unknown(&self, path: &str) -> Vec<String> {
        let open = self.below(path).into_iter().filter(|at| self.leaves[*at].1.is_none());
        open.map(|at| self.leaves[at].0.clone()).collect()
    }

    /// One row for each setting, in the order of the input.
    pub(crate) fn rows(self) -> Vec<Row> {
        let row = |(setting, fate): (String, Option<Fate>)| Row {
            setting,
            fate: fate.unwrap_or_else(|| Fate::Dropped(UNKNOWN.to_owned())),
        };
        self.leaves.into_iter().map(row).collect()
    }

    fn below(&self, path: &str) -> Vec<usize> {
        let is_below = |found: &str| {
            let rest = &found[path.len()..];
            rest.is_empty() || path.ends_with(": ") || rest.starts_with(['.', '[', ' '])
        };
        let from = self.index.range(path.to_owned()..);
        let near = from.take_while(|(found, _)| found.starts_with(path));
        near.filter(|(found, _)| is_below(found)).map(|(_, at)| *at).collect()
    }
}

/// A value of the input and its place.
#[derive(Clone, Debug)]
pub(crate) struct At<'v> {
    pub(crate) path: String,
    pub(crate) value: &'v Value,
}

impl<'v> At<'v> {
    /// The whole of a file.
    pub(crate) fn root(file: &str, value: &'v Value) -> Self {
        Self { path: format!("{file}: "), value }
    }

    /// A member, whatever the case of its letters: AWS writes `TargetGroupArn`, its controller `targetGroupARN`.
    pub(crate) fn get(&self, name: &str) -> Option<At<'v>> {
        let mut members = self.value.as_object()?.iter();
        let (key, value) = members.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(At { path: self.below(key), value })
    }

    /// The members.
    pub(crate) fn entries(&self) -> Vec<(&'v str, At<'v>)> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(key, value)| (key.as_str(), At { path: self.below(key), value })).collect()
    }

    /// The items.
    pub(crate) fn items(&self) -> Vec<At<'v>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(index, value)| At { path: format!("{}[{}]", self.path, place(index, value)), value }).collect()
    }

    /// The items of a member. None if there is no such member.
    pub(crate) fn list(&self, name: &str) -> Vec<At<'v>> {
        self.get(name).map(|at| at.items()).unwrap_or_default()
    }

    /// The text of a member.
    pub(crate) fn text(&self, name: &str) -> Option<&'v str> {
        self.get(name)?.value.as_str()
    }

    /// The number of a member, also one that is written as text.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        number(self.get(name)?.value)
    }

    /// The truth value of a member, also one that is written as text.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        flag(self.get(name)?.value)
    }

    /// The texts of a list. `None` if this is not a list of texts.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        let items = self.value.as_array()?;
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    }

    fn below(&self, key: &str) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let plain = !key.is_empty() && key.bytes().all(is_plain);
        match (plain, self.path.ends_with(": ")) {
            (true, true) => format!("{}{key}", self.path),
            (true, false) => format!("{}.{key}", self.path),
            (false, _) => format!("{}[{key}]", self.path),
        }
    }
}

/// The place of an item in its list. An attribute is known by its key.
fn place(index: usize, item: &Value) -> String {
    match (item.get("Key"), item.get("Value")) {
        (Some(Value::String(key)), Some(Value::String(_))) => key.clone(),
        _ => index.to_string(),
    }
}

/// A number, also one that is written as text.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A truth value, also one that is written as text.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.trim().to_ascii_lowercase().parse().ok())
}

#[cfg(test)]
mod tests;
