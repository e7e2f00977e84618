//! Conditions of a rule (ALB §7.2). The values of one condition are alternatives, so a value that cannot be carried over makes the whole
//! condition impossible: without it, requests would go to a later rule.

use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};
use crate::rule::expression::Parsed;
use crate::rule::pattern::Case;

/// Why a rule is closed whose regular expression two readers understand in two ways. Read as the whole text, it would leave requests to
/// later rules; read as a part of it, it would take requests of later rules.
const PARTIAL: &str =
    "does not say with `^` and `$` that it is for the whole text, and AWS does not say whether it is for a part of it";

/// Carries over all conditions of a rule. The second value says why one is missing.
pub(in crate::import) fn all(items: &[At<'_>], ledger: &mut Ledger) -> (Vec<Map>, Option<String>) {
    let (mut conditions, mut missing) = (Vec::new(), None);
    for item in items {
        match one(item, ledger) {
            Ok(condition) => conditions.push(condition),
            Err(why) => {
                ledger.dropped(&item.path, &why);
                missing.get_or_insert(why);
            }
        }
    }
    (conditions, missing)
}

fn one(item: &At<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let field = item.get("Field").ok_or("a condition has no Field")?;
    let name = field.value.as_str().unwrap_or_default();
    let (config, key) = match name {
        "host-header" => ("HostHeaderConfig", "host_header"),
        "path-pattern" => ("PathPatternConfig", "path_pattern"),
        "http-request-method" => ("HttpRequestMethodConfig", "http_request_method"),
        "source-ip" => ("SourceIpConfig", "source_ip"),
        "http-header" => ("HttpHeaderConfig", "http_header"),
        "query-string" => ("QueryStringConfig", "query_string"),
        other => return Err(format!("Vestibule has no condition `{other}`")),
    };
    let nested = item.get(config);
    let lists = |key: &str| {
        let own = item.get(key);
        let nested = nested.as_ref().and_then(|config| config.get(key));
        [own, nested].into_iter().flatten().filter(|list| list.value.as_array().is_some_and(|items| !items.is_empty()))
    };
    let is_regex = lists("RegexValues").next().is_some();
    if is_regex && lists("Values").next().is_some() {
        return Err("the condition has both values and regular expressions".to_owned());
    }
    let list = if is_regex { "RegexValues" } else { "Values" };
    let mut values = lists(list);
    let first = values.next().ok_or("the condition has no values")?;
    // The answers of AWS have the values of some conditions in two places.
    if values.any(|second| second.value != first.value) {
        return Err("the condition has two different lists of values".to_owned());
    }
    if is_regex {
        check_regexes(key, &first)?;
    }
    let condition = match key {
        "http_header" => http_header(nested.as_ref(), &first, if is_regex { "regex_values" } else { "values" }),
        _ if is_regex => {
            first.texts().map(|texts| Map::default().with(key, Map::default().with("regex_values", &texts[..])))
        }
        "query_string" => query_string(&first, ledger),
        _ => first.texts().map(|texts| Map::default().with(key, &texts[..])),
    };
    let condition = condition.ok_or("the values of the condition cannot be read")?;
    for list in lists(list) {
        ledger.kept(&list.path, "conditions");
    }
    for empty in ["Values", "RegexValues"] {
        let own = item.get(empty).into_iter().chain(nested.as_ref().and_then(|config| config.get(empty)));
        own.for_each(|at| ledger.kept(&at.path, "conditions"));
    }
    if let Some(at) = nested.as_ref().and_then(|config| config.get("HttpHeaderName")) {
        ledger.kept(&at.path, "conditions");
    }
    ledger.kept(&field.path, "conditions");
    Ok(condition)
}

/// Refuses expressions that two readers understand in two ways. `check` refuses those that are none.
pub(in crate::import) fn check_regexes(key: &str, values: &At<'_>) -> Result<(), String> {
    let case = match key {
        "path_pattern" => Case::Sensitive,
        "host_header" | "http_header" => Case::Insensitive,
        other => return Err(format!("Vestibule has no regular expressions for `{other}`")),
    };
    for text in values.texts().unwrap_or_default() {
        if Parsed::new(&text, case).is_ok_and(|parsed| parsed.may_be_meant_for_a_part()) {
            return Err(format!("the regular expression `{text}` {PARTIAL}"));
        }
    }
    Ok(())
}

/// `key` is `values` or `regex_values`.
fn http_header(config: Option<&At<'_>>, values: &At<'_>, key: &str) -> Option<Map> {
    let name = config?.text("HttpHeaderName")?;
    let header = Map::default().with("name", name).with(key, &values.texts()?[..]);
    Some(Map::default().with("http_header", header))
}

fn query_string(values: &At<'_>, ledger: &mut Ledger) -> Option<Map> {
    let mut pairs = Vec::new();
    for item in values.items() {
        let mut pair = Map::default();
        for (key, at) in item.entries() {
            let key = match key.to_ascii_lowercase().as_str() {
                "key" => "key",
                "value" => "value",
                _ => return None,
            };
            pair.set(key, at.value.as_str()?);
            ledger.kept(&at.path, "conditions");
        }
        pairs.push(Yaml::Map(pair));
    }
    Some(Map::default().with("query_string", Yaml::List(pairs)))
}
