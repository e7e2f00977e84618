//! Finds the rule that matches a request. This room does not depend on actions.
//!
//! A [`RuleSet`] has a payload of any type. Conditions use only [`condition::Facts`], so the request that matched is the request
//! that the target receives.

pub mod condition;
pub mod expression;
mod index;
pub mod pattern;
pub mod value;

use std::sync::Arc;

use condition::{Condition, Facts};
use index::Index;

/// The name of the default actions, in the access log and metrics.
pub const DEFAULT: &str = "default";

/// A rule. It matches if all conditions match (ALB §7.1).
#[derive(Clone, Debug)]
pub struct Rule<T> {
    /// The name of the rule in the access log and metrics.
    pub name: Arc<str>,
    /// 1 to 50000. The rule with the lowest number is evaluated first.
    pub priority: u32,
    /// The conditions. If there are none, the rule matches every request.
    pub conditions: Vec<Condition>,
    /// The payload, for example the actions.
    pub payload: T,
}

/// Rules in order of priority, and a default rule that matches every request.
#[derive(Clone, Debug)]
pub struct RuleSet<T> {
    rules: Vec<Rule<T>>,
    index: Index,
    default: Rule<T>,
}

impl<T> RuleSet<T> {
    /// Sorts the rules by priority. Rules with the same priority keep their order.
    pub fn new(mut rules: Vec<Rule<T>>, default: T) -> Self {
        rules.sort_by_key(|rule| rule.priority);
        let default = Rule { name: Arc::from(DEFAULT), priority: 0, conditions: Vec::new(), payload: default };
        let index = Index::new(rules.iter().map(|rule| &*rule.conditions));
        Self { rules, index, default }
    }

    /// The first rule whose conditions all match, otherwise the default rule.
    pub fn find(&self, facts: &Facts<'_>) -> &Rule<T> {
        let holds = |place: usize| self.rules[place].conditions.iter().all(|condition| condition.holds(facts));
        self.index.first(facts.request, holds).map_or(&self.default, |place| &self.rules[place])
    }

    /// The payloads of the rules that can match a request to `host`, in order, up to the first rule that matches every such request.
    /// It examines every rule, so it is too slow to be called for every request.
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

    /// All rules in the order of evaluation; the default rule is last.
    pub fn iter(&self) -> impl Iterator<Item = &Rule<T>> {
        self.rules.iter().chain(std::iter::once(&self.default))
    }
}

#[cfg(test)]
mod tests;
