//! Logs a message once per name, so that a peer cannot fill the log by repetition.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Maximum number of remembered names. Names come from the configuration; further names are not logged.
const NAMES_MAX: usize = 1024;

/// The names that were already logged. Reading takes no lock.
#[derive(Debug, Default)]
pub struct LoggedNames(ArcSwap<BTreeSet<Box<str>>>);

impl LoggedNames {
    /// Whether `name` is new. Of two threads at the same time, only one gets `true`.
    pub fn is_first(&self, name: &str) -> bool {
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
        let logged = LoggedNames::default();
        assert!(logged.is_first("a"));
        assert!(!logged.is_first("a"));
        assert!(logged.is_first("b"));
        let said = (0..2 * NAMES_MAX).filter(|number| logged.is_first(&number.to_string())).count();
        assert_eq!(said, NAMES_MAX - 2);
        assert!(!logged.is_first("new"));
    }
}
