//! Conditions of a rule (ALB §7.2). The values of one condition are alternatives, so a value that cannot be carried over makes the whole
//! condition impossible: without it, requests would go to a later rule.

use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};

/// Why a rule with a regular expression is closed.
const REGEX: &str = "conditions of Vestibule have no regular expressions yet";

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
    if lists("RegexValues").next().is_some() {
        return Err(REGEX.to_owned());
    }
    let mut values = lists("Values");
    let first = values.next().ok_or("the condition has no values")?;
    // The answers of AWS have the values of some conditions in two places.
    if values.any(|second| second.value != first.value) {
        return Err("the condition has two different lists of values".to_owned());
    }
    let condition = match key {
        "http_header" => http_header(nested.as_ref(), &first),
        "query_string" => query_string(&first, ledger),
        _ => first.texts().map(|texts| Map::default().with(key, &texts[..])),
    };
    let condition = condition.ok_or("the values of the condition cannot be read")?;
    for list in lists("Values") {
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

fn http_header(config: Option<&At<'_>>, values: &At<'_>) -> Option<Map> {
    let name = config?.text("HttpHeaderName")?;
    let header = Map::default().with("name", name).with("values", &values.texts()?[..]);
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
