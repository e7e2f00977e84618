//! What a valid file has that an Application Load Balancer would refuse (ALB §7.4): for operators who may move back to one.

use crate::config::{Config, ListenerConfig, RuleConfig};

const LISTENERS_MAX: usize = 50;
const RULES_MAX: usize = 100;
const CERTIFICATES_MAX: usize = 25;
const TARGET_GROUPS_MAX: usize = 100;
const TARGETS_MAX: usize = 1000;
const VALUES_IN_RULE_MAX: usize = 5;
const VALUES_IN_CONDITION_MAX: usize = 3;
const WILDCARDS_IN_RULE_MAX: usize = 5;

/// One line for each quota that the file goes beyond.
pub(crate) fn beyond(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let mut total = |count: usize, what: &str, most: usize| {
        if count > most {
            found.push(format!("{count} {what}; an Application Load Balancer has at most {most}"));
        }
    };
    total(config.listeners.len(), "listeners", LISTENERS_MAX);
    let rules = || config.listeners.iter().flat_map(|listener| listener.rules.iter().map(move |rule| (listener, rule)));
    total(rules().count(), "rules", RULES_MAX);
    // The first certificate of a listener is its default, which does not count.
    let tables = config.listeners.iter().filter_map(|listener| listener.settings.tls.as_ref()?.certificates.as_ref());
    total(
        tables.map(|table| table.count().saturating_sub(1)).sum(),
        "certificates besides the default ones",
        CERTIFICATES_MAX,
    );
    total(config.target_groups.len(), "target groups", TARGET_GROUPS_MAX);
    total(config.target_groups.iter().map(|group| group.targets.len()).sum(), "targets", TARGETS_MAX);
    let mut in_rules = |what: &str, most: usize, count: &dyn Fn(&RuleConfig) -> usize| {
        let beyond: Vec<_> = rules().filter(|(_, rule)| count(rule) > most).collect();
        if let Some((listener, rule)) = beyond.first() {
            found.push(in_rule(listener, rule, beyond.len() - 1, what, most));
        }
    };
    in_rules("values in its conditions", VALUES_IN_RULE_MAX, &|rule| {
        rule.conditions.iter().map(|condition| condition.values()).sum()
    });
    in_rules("values in one condition", VALUES_IN_CONDITION_MAX, &|rule| {
        rule.conditions.iter().map(|condition| condition.values()).max().unwrap_or_default()
    });
    in_rules("wildcards in its conditions", WILDCARDS_IN_RULE_MAX, &|rule| {
        rule.conditions.iter().map(|condition| condition.wildcards()).sum()
    });
    found
}

fn in_rule(listener: &ListenerConfig, rule: &RuleConfig, others: usize, what: &str, most: usize) -> String {
    let others = match others {
        0 => String::new(),
        1 => " and one more rule".to_owned(),
        others => format!(" and {others} more rules"),
    };
    let (rule, listener) = (&rule.name, &listener.settings.name);
    format!(
        "rule `{rule}` of listener `{listener}`{others}: more than {most} {what}, which an Application Load Balancer refuses"
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::config::tests::{SOUND, files, load_in};

    fn beyond_with(name: &str, change: impl Fn(&str) -> String) -> Vec<String> {
        let text = change(SOUND);
        beyond(&load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}\n{text}")))
    }

    #[test]
    fn each_quota_has_one_line() {
        assert_eq!(beyond_with("sound", str::to_owned), [""; 0]);
        let mut rules = "    rules:\n".to_owned();
        for priority in 100..200 {
            let _ = writeln!(
                rules,
                "      - {{ priority: {priority}, conditions: [{{ path_pattern: [\"/{priority}\"] }}], \
                 actions: [{{ type: fixed-response, status_code: 200 }}] }}"
            );
        }
        let rules = |sound: &str| sound.replace("    rules:\n", &rules);
        assert_eq!(beyond_with("rules", rules), ["101 rules; an Application Load Balancer has at most 100"]);
        let targets: Vec<String> = (1..=1001).map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        let targets = |sound: &str| sound.replace("\"127.0.0.1:3000\"", &targets.join(", "));
        assert_eq!(beyond_with("targets", targets), ["1001 targets; an Application Load Balancer has at most 1000"]);
        let values = |sound: &str| {
            let path = "path_pattern: [\"/api/*\"]";
            let six =
                "path_pattern: [\"/a/*/*/*\", \"/b/*\", \"/c?\", \"/d?\"]\n          - http_request_method: [GET, PUT]";
            sound.replace(path, six)
        };
        let rule = "rule `api` of listener `public`: more than";
        let refuses = "which an Application Load Balancer refuses";
        assert_eq!(
            beyond_with("values", values),
            [
                format!("{rule} 5 values in its conditions, {refuses}"),
                format!("{rule} 3 values in one condition, {refuses}"),
                format!("{rule} 5 wildcards in its conditions, {refuses}"),
            ]
        );
    }
}
