//! What differs between two configurations, in the words of the file. Names settings and files, never their values.

use std::collections::BTreeSet;

use crate::config::document::files::NamedFile;
use crate::config::document::tree::{Entry, Node, Value};

/// What a configuration says: the tree of its file, and the files that it names.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// The file itself. `None` if the text is from elsewhere.
    pub(crate) own: Option<NamedFile>,
    /// Those that it names.
    pub(crate) files: Vec<NamedFile>,
}

impl Default for Document {
    fn default() -> Self {
        Self { root: Node::empty(), own: None, files: Vec::new() }
    }
}

/// Settings that a running process cannot change. All others take effect by a reload.
pub(crate) const NEEDS_A_RESTART: [&str; 1] = ["workers"];

impl Document {
    /// The file itself and those that it names.
    pub(crate) fn all_files(&self) -> Vec<NamedFile> {
        self.own.iter().chain(&self.files).cloned().collect()
    }

    /// Whether both say the same, wherever it is written.
    pub(crate) fn is_like(&self, later: &Self) -> bool {
        let known = |file: &NamedFile| later.files.iter().any(|other| other.path == file.path && other.is_like(file));
        is_same(&self.root, &later.root) && self.files.len() == later.files.len() && self.files.iter().all(known)
    }

    /// What is different in `later`, for people: `target_groups.app`, `listeners.public.rules.api`, `the file tls.pem`. At most one
    /// line for each named part. For whether anything is different, ask [`is_like`](Self::is_like).
    pub(crate) fn changes(&self, later: &Self) -> Vec<String> {
        let mut changes = BTreeSet::new();
        compare(&self.root, &later.root, "", &mut changes);
        for file in &later.files {
            let before = self.files.iter().find(|before| before.path == file.path);
            if before.is_none_or(|before| !before.is_like(file)) {
                changes.insert(format!("the file {}", file.path.display()));
            }
        }
        let is_left = |file: &&NamedFile| later.files.iter().all(|other| other.path != file.path);
        changes.extend(
            self.files.iter().filter(is_left).map(|file| format!("the file {} (no longer read)", file.path.display())),
        );
        changes.into_iter().map(|change| change.replace(char::is_control, "\u{fffd}")).collect()
    }
}

/// How many names deep the settings are compared: a setting of a rule of a listener is five.
const DEPTH_MAX: usize = 5;

fn compare(before: &Node, later: &Node, at: &str, changes: &mut BTreeSet<String>) {
    if is_same(before, later) {
        return;
    }
    let depth = if at.is_empty() { 0 } else { at.split('.').count() };
    let (one, other) = match (named(before), named(later)) {
        (Some(one), Some(other)) if depth < DEPTH_MAX => (one, other),
        _ => {
            changes.insert(at.to_owned());
            return;
        }
    };
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    for (name, before) in &one {
        match other.iter().find(|(known, _)| known == name) {
            Some((_, later)) => compare(before, later, &below(name), changes),
            None => drop(changes.insert(format!("{} (removed)", below(name)))),
        }
    }
    for (name, _) in other.iter().filter(|(name, _)| one.iter().all(|(known, _)| known != name)) {
        changes.insert(format!("{} (new)", below(name)));
    }
    // The order of the entries of a mapping means nothing: see `is_same`.
    let is_list = matches!(later.value, Value::Sequence(_));
    let stays = |in_which: &[(String, &Node)]| -> Vec<String> {
        let both =
            |name: &String| one.iter().any(|(known, _)| known == name) && other.iter().any(|(known, _)| known == name);
        in_which.iter().map(|(name, _)| name.clone()).filter(both).collect()
    };
    if is_list && stays(&one) != stays(&other) {
        changes.insert(format!("{at} (order)"));
    }
}

/// The parts of a value that have names: the entries of a mapping, and the items of a list that a `name` or `client_id` tells apart. Users
/// are not named, because what names them is personal data.
fn named(node: &Node) -> Option<Vec<(String, &Node)>> {
    match &node.value {
        Value::Mapping(entries) => Some(entries.iter().map(|Entry { key, value, .. }| (key.clone(), value)).collect()),
        Value::Sequence(items) if items.iter().all(|item| item.get("username").is_none()) => {
            ["client_id", "name"].into_iter().find_map(|key| {
                let names: Option<Vec<_>> = items.iter().map(|item| Some((text(item.get(key)?)?, item))).collect();
                let is_told_apart = |names: &Vec<(String, &Node)>| {
                    names.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() == names.len()
                };
                names.filter(is_told_apart)
            })
        }
        _ => None,
    }
}

fn text(node: &Node) -> Option<String> {
    if let Value::String(text) = &node.value { Some(text.clone()) } else { None }
}

/// Whether two values mean the same, wherever they are written.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Mapping(one), Value::Mapping(other)) => {
            let has =
                |entry: &Entry| other.iter().any(|known| known.key == entry.key && is_same(&known.value, &entry.value));
            one.len() == other.len() && one.iter().all(has)
        }
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::findings::Findings;
    use crate::config::document::parse;
    use crate::config::document::scalar::Environment;

    fn document(text: &str) -> Document {
        let environment = Environment::Given(std::collections::BTreeMap::new());
        let Ok(parsed) = parse::parse(text, &environment, &mut Findings::default()) else { panic!("not YAML: {text}") };
        let root = parsed.root;
        Document { root, own: None, files: Vec::new() }
    }

    #[track_caller]
    fn check(before: &str, later: &str, expected: &[&str]) {
        assert_eq!(document(before).changes(&document(later)), expected);
    }

    #[test]
    fn parts_are_called_by_their_names() {
        let before = "
listeners:
  - { name: public, address: '[::]:443', rules: [{ name: api, priority: 1 }, { name: old, priority: 2 }] }
target_groups: { app: { targets: [a:1] }, gone: { targets: [] } }
session: { key_files: [one] }
workers: 2
";
        let later = "
# A comment changes nothing, nor does the order.
workers: 4
listeners:
  - { name: public, address: '[::]:443', rules: [{ name: api, priority: 3 }, { name: new, priority: 2 }] }
  - { name: other, address: '[::]:80' }
target_groups:
  app:
    targets: [a:1, b:1]
session: { key_files: [one] }
";
        let expected = [
            "listeners.other (new)",
            "listeners.public.rules.api.priority",
            "listeners.public.rules.new (new)",
            "listeners.public.rules.old (removed)",
            "target_groups.app.targets",
            "target_groups.gone (removed)",
            "workers",
        ];
        check(before, later, &expected);
        check(before, before, &[]);
    }

    #[test]
    fn what_has_no_name_of_its_own_is_a_change_all_the_same() {
        // Two users may be called the same. What names a user is not shown.
        let users = |more: &str| format!("people: {{ users: [{{ username: ada, name: Ada }}{more}] }}");
        check(&users(""), &users(", { username: ada2, name: Ada }"), &["people.users"]);
        let clients = |more: &str| format!("people: {{ clients: [{{ client_id: a, name: Shop }}{more}] }}");
        check(&clients(""), &clients(", { client_id: b, name: Shop }"), &["people.clients.b (new)"]);
        check("l: [{ name: a }, { name: a }]", "l: [{ name: a }]", &["l"]);
        check(
            "l: [{ name: a }, { name: b }]",
            "l: [{ name: b }, { name: c }, { name: a }]",
            &["l (order)", "l.c (new)"],
        );
        let (one, other) = (document("l: [{ name: a }, { name: b }]"), document("l: [{ name: b }, { name: a }]"));
        assert!(!one.is_like(&other), "the order of rules can mean something");
        check("a: { \"b\\nERROR fake\": 1 }", "a: {}", &["a.b\u{fffd}ERROR fake (removed)"]);
    }

    #[test]
    fn the_values_of_secrets_are_not_shown() {
        check(
            "providers: { a: { client_secret: old } }",
            "providers: { a: { client_secret: new } }",
            &["providers.a.client_secret"],
        );
    }
}
