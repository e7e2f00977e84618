//! Every action of a file, with its place.

use crate::config::document::path::Path;
use crate::config::raw::action::Action;
use crate::config::raw::listener::Listener;
use crate::config::raw::{self, value::List};

/// The actions of all listeners.
pub(super) fn of_file(raw: &raw::File) -> impl Iterator<Item = (&Action, Path)> {
    raw.listeners
        .iter()
        .flat_map(|(index, listener)| of_listener(listener, Path::default().key("listeners").index(index)))
}

/// The actions of the rules of one listener, and its `default_actions`.
pub(super) fn of_listener(listener: &Listener, at: Path) -> impl Iterator<Item = (&Action, Path)> {
    let rules = at.key("rules");
    let of_rules =
        listener.rules.iter().flat_map(move |(index, rule)| of(&rule.actions, rules.index(index).key("actions")));
    of_rules.chain(of(&listener.default_actions, at.key("default_actions")))
}

fn of(actions: &List<Action>, at: Path) -> impl Iterator<Item = (&Action, Path)> {
    actions.iter().map(move |(index, action)| (action, at.index(index)))
}
