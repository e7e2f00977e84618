//! Which rule a request matches; knows nothing of actions.
//!
//! A [`RuleSet`] carries any payload. Conditions look at [`facts::Facts`] and at nothing else, so that what matched is what
//! the target will receive.

pub(crate) mod condition;
pub(crate) mod facts;
mod index;
pub(crate) mod pattern;

use std::sync::Arc;

use condition::Condition;
use facts::Facts;
use index::Index;

/// A rule: all conditions must hold (ALB §7.1).
#[derive(Clone, Debug)]
pub(crate) struct Rule<T> {
    /// Names the rule in the access log and metrics.
    pub(crate) name: Arc<str>,
    /// 1 to 50000; the lowest is looked at first.
    pub(crate) priority: u32,
    /// May be empty: then the rule takes everything.
    pub(crate) conditions: Vec<Condition>,
    /// What the rule selects.
    pub(crate) payload: T,
}

/// Rules in order of priority, and the one that takes what no other takes.
#[derive(Clone, Debug)]
pub(crate) struct RuleSet<T> {
    rules: Vec<Rule<T>>,
    index: Index,
    default: Rule<T>,
}

impl<T> RuleSet<T> {
    /// Sorts the rules by priority; rules of one priority keep their order.
    pub(crate) fn new(mut rules: Vec<Rule<T>>, default: T) -> Self {
        rules.sort_by_key(|rule| rule.priority);
        let default = Rule { name: Arc::from("default"), priority: 0, conditions: Vec::new(), payload: default };
        let index = Index::new(rules.iter().map(|rule| &*rule.conditions));
        Self { rules, index, default }
    }

    /// The first rule whose conditions all hold; the default where none is.
    pub(crate) fn find(&self, facts: &Facts<'_>) -> &Rule<T> {
        let holds = |place: usize| self.rules[place].conditions.iter().all(|condition| condition.holds(facts));
        self.index.first(facts.request, holds).map_or(&self.default, |place| &self.rules[place])
    }

    /// What the rules select that can match a request to `host`, in order, up to the first that matches every such request.
    /// Looks at each rule: not for every request.
    pub(crate) fn reaching(&self, host: &str) -> impl Iterator<Item = &T> {
        let mut is_taken = false;
        let reaching = self.iter().filter(move |rule| {
            let hosts = |condition: &Condition| condition.holds_for_host(host).unwrap_or(true);
            if is_taken || !rule.conditions.iter().all(hosts) {
                return false;
            }
            is_taken = rule
                .conditions
                .iter()
                .all(|condition| condition.holds_for_host(host).unwrap_or(false) || condition.holds_for_every_path());
            true
        });
        reaching.map(|rule| &rule.payload)
    }

    /// Every rule in the order in which it is looked at, the default last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule<T>> {
        self.rules.iter().chain(std::iter::once(&self.default))
    }
}

#[cfg(test)]
mod tests;
