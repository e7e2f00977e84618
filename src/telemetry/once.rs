//! Says a thing once for each name, so that a peer cannot fill the log by repeating what it does.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Most names that are remembered. Names come from the configuration; beyond this many nothing more is said.
const NAMES_MAX: usize = 1024;

/// The names about which something was said. Reading takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Once(ArcSwap<BTreeSet<Box<str>>>);

impl Once {
    /// Whether `name` is new here. Two threads that come at the same moment are answered `true` once between them.
    pub(crate) fn is_first(&self, name: &str) -> bool {
        let is_over = |names: &BTreeSet<Box<str>>| names.contains(name) || names.len() >= NAMES_MAX;
        if is_over(&self.0.load()) {
            return false;
        }
        let before = self.0.rcu(|names| {
            let mut names = BTreeSet::clone(names);
            if !is_over(&names) {
                names.insert(name.into());
            }
            Arc::new(names)
        });
        !is_over(&before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_said_once_and_memory_is_bounded() {
        let once = Once::default();
        assert!(once.is_first("a"));
        assert!(!once.is_first("a"));
        assert!(once.is_first("b"));
        let said = (0..2 * NAMES_MAX).filter(|number| once.is_first(&number.to_string())).count();
        assert_eq!(said, NAMES_MAX - 2);
        assert!(!once.is_first("new"));
    }
}
