//! Actions of a rule (ALB §1.3, §7.3). Any action that is not known closes the rule.

use std::time::Duration;

use crate::import::draft::{Chain, Draft};
use crate::import::elbv2::{jwt, login};
use crate::import::ledger::{At, Ledger, number};
use crate::import::yaml::Map;

/// What the actions of a rule need to know.
pub(in crate::import) struct Context<'c> {
    pub(in crate::import) draft: &'c mut Draft,
    pub(in crate::import) ledger: &'c mut Ledger,
    pub(in crate::import) preserve_host_header: bool,
    /// The target group that an action or an entry of `TargetGroups` names.
    pub(in crate::import) target_group: &'c dyn Fn(&At<'_>) -> Result<String, String>,
}

/// Carries over the actions of a rule.
pub(in crate::import) fn chain(items: &[At<'_>], context: &mut Context<'_>) -> Chain {
    match open_chain(items, context) {
        Ok(chain) => chain,
        Err(why) => Chain::Closed(why),
    }
}

fn open_chain(items: &[At<'_>], context: &mut Context<'_>) -> Result<Chain, String> {
    let mut items = items.to_vec();
    items.sort_by_key(|item| item.number("Order").unwrap_or_default());
    let (mut login, mut gates, mut end) = (None, Vec::new(), None);
    for item in &items {
        let kind = item.text("Type").ok_or("an action has no Type")?;
        if end.is_some() {
            return Err("an action follows the one that answers".to_owned());
        }
        match kind {
            "authenticate-oidc" | "authenticate-cognito" if login.is_none() && gates.is_empty() => {
                login = Some(login::login(item, kind, context.draft, context.ledger)?);
            }
            "jwt-validation" if login.is_none() && gates.is_empty() => {
                let config = item.get("JwtValidationConfig").ok_or("the action has no JwtValidationConfig")?;
                gates.push(jwt::gate(&config, context.ledger)?);
            }
            "forward" => end = Some(forward(item, context)?),
            "redirect" => end = Some(redirect(item, context.ledger)?),
            "fixed-response" => end = Some(fixed_response(item, context.ledger)?),
            other => return Err(format!("Vestibule has no action `{other}` in this place")),
        }
        for key in ["Type", "Order"] {
            item.get(key).into_iter().for_each(|at| context.ledger.kept(&at.path, "actions"));
        }
    }
    let terminal = end.ok_or("no action answers the request")?;
    Ok(Chain::Open { login, gates, terminal })
}

fn forward(item: &At<'_>, context: &mut Context<'_>) -> Result<Map, String> {
    let config = item.get("ForwardConfig");
    let entries = config.as_ref().map(|config| config.list("TargetGroups")).unwrap_or_default();
    let groups = entries.iter().map(|entry| (context.target_group)(entry)).collect::<Result<Vec<_>, _>>()?;
    if !groups.is_empty() && item.get("TargetGroupArn").is_some() && groups != [(context.target_group)(item)?] {
        return Err("the action names two different target groups".to_owned());
    }
    let mut forward = Map::default().with("type", "forward");
    match groups.as_slice() {
        [] => forward.set("target_group", (context.target_group)(item)?),
        [group] => forward.set("target_group", group.as_str()),
        _ => forward.set("target_groups", shares(&entries, &groups)?),
    };
    for entry in &entries {
        context.ledger.kept(&entry.path, "forward");
    }
    for key in ["TargetGroupArn", "TargetGroupName"] {
        item.get(key).into_iter().for_each(|at| context.ledger.kept(&at.path, "forward"));
    }
    if let Some(sticky) = config.and_then(|config| config.get("TargetGroupStickinessConfig")) {
        if sticky.flag("Enabled") != Some(true) {
            context.ledger.kept(&sticky.path, "off");
        } else if groups.len() < 2 {
            context.ledger.kept(&sticky.path, "there is only one target group to stay at");
        } else {
            let seconds = sticky.number("DurationSeconds").ok_or("the stickiness of a forward has no duration")?;
            forward.set("stickiness", Map::default().with("duration", Duration::from_secs(seconds)));
            for key in ["Enabled", "DurationSeconds"] {
                sticky.get(key).into_iter().for_each(|at| context.ledger.kept(&at.path, "stickiness"));
            }
        }
    }
    if context.preserve_host_header {
        forward.set("preserve_host_header", true);
    }
    Ok(forward)
}

/// The target groups with their weights.
fn shares(entries: &[At<'_>], groups: &[String]) -> Result<Vec<Map>, String> {
    let share = |(entry, group): (&At<'_>, &String)| {
        let weight = entry.get("Weight").map_or(Some(1), |at| number(at.value)).ok_or("a weight is not a number")?;
        Ok(Map::default().with("target_group", group.as_str()).with("weight", weight))
    };
    entries.iter().zip(groups).map(share).collect()
}

fn redirect(item: &At<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let config = item.get("RedirectConfig").ok_or("a redirect has no RedirectConfig")?;
    let mut redirect = Map::default().with("type", "redirect");
    for (key, at) in config.entries() {
        let name = match key.to_ascii_lowercase().as_str() {
            "protocol" => "protocol",
            "host" => "host",
            "port" => "port",
            "path" => "path",
            "query" => "query",
            "statuscode" => "status_code",
            _ => continue,
        };
        let text = at.value.as_str().map_or_else(|| at.value.to_string(), str::to_owned);
        redirect.set(name, text);
        ledger.kept(&at.path, "redirect");
    }
    Ok(redirect)
}

fn fixed_response(item: &At<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let config = item.get("FixedResponseConfig").ok_or("a fixed-response has no FixedResponseConfig")?;
    let status = config.get("StatusCode").and_then(|at| number(at.value));
    let status = status.ok_or("a fixed-response has no status code that is a number")?;
    let mut fixed = Map::default().with("type", "fixed-response").with("status_code", status);
    for (key, name) in [("ContentType", "content_type"), ("MessageBody", "body")] {
        if let Some(text) = config.text(key) {
            fixed.set(name, text);
        }
    }
    for key in ["StatusCode", "ContentType", "MessageBody"] {
        config.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "fixed-response"));
    }
    Ok(fixed)
}
