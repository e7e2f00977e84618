//! Actions of a rule (ALB §1.3, §7.3). Any action that is not known closes the rule.

use crate::import::draft::{Chain, Draft};
use crate::import::elbv2::login;
use crate::import::ledger::{At, Ledger, number};
use crate::import::yaml::Map;

/// Why a rule with `jwt-validation` is closed.
pub(in crate::import) const JWT: &str = "jwt-validation is not available yet, and without it everybody would come in";
/// Why a rule with transforms is closed.
pub(in crate::import) const TRANSFORMS: &str =
    "Vestibule has no transforms yet, and the target would get another address than before";

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
    let (mut login, mut end) = (None, None);
    for item in &items {
        let kind = item.text("Type").ok_or("an action has no Type")?;
        if end.is_some() {
            return Err("an action follows the one that answers".to_owned());
        }
        match kind {
            "authenticate-oidc" | "authenticate-cognito" if login.is_none() => {
                login = Some(login::login(item, kind, context.draft, context.ledger)?);
            }
            "jwt-validation" => {
                context.ledger.dropped(&item.path, JWT);
                return Err(JWT.to_owned());
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
    Ok(Chain::Open { login, gates: Vec::new(), terminal })
}

fn forward(item: &At<'_>, context: &mut Context<'_>) -> Result<Map, String> {
    let config = item.get("ForwardConfig");
    let entries = config.as_ref().map(|config| config.list("TargetGroups")).unwrap_or_default();
    let group = match heaviest(&entries) {
        None => (context.target_group)(item)?,
        Some(entry) => {
            let name = (context.target_group)(entry)?;
            if item.get("TargetGroupArn").is_some() && (context.target_group)(item)? != name {
                return Err("the action names two different target groups".to_owned());
            }
            name
        }
    };
    shares(&entries, &group, context.ledger);
    for key in ["TargetGroupArn", "TargetGroupName"] {
        item.get(key).into_iter().for_each(|at| context.ledger.kept(&at.path, "forward"));
    }
    if let Some(sticky) = config.and_then(|config| config.get("TargetGroupStickinessConfig")) {
        if sticky.flag("Enabled") == Some(true) && entries.len() > 1 {
            context.ledger.dropped(&sticky.path, "all requests go to one target group");
        } else {
            context.ledger.kept(&sticky.path, "off");
        }
    }
    let mut forward = Map::default().with("type", "forward").with("target_group", group);
    if context.preserve_host_header {
        forward.set("preserve_host_header", true);
    }
    Ok(forward)
}

/// The entry with the most weight.
fn heaviest<'a, 'v>(entries: &'a [At<'v>]) -> Option<&'a At<'v>> {
    let weight = |entry: &At<'_>| entry.number("Weight").unwrap_or(1);
    let most = entries.iter().map(weight).max()?;
    entries.iter().find(|entry| weight(entry) == most)
}

fn shares(entries: &[At<'_>], group: &str, ledger: &mut Ledger) {
    let loaded = entries.iter().filter(|entry| entry.number("Weight") != Some(0)).count();
    for entry in entries {
        if entries.len() == 1 {
            ledger.kept(&entry.path, "forward");
        } else if entry.number("Weight") == Some(0) {
            ledger.dropped(&entry.path, "its share is 0");
        } else if loaded == 1 {
            ledger.kept(&entry.path, "forward");
        } else {
            ledger.changed(
                &entry.path,
                &format!("all requests go to {group}, which has the largest share: forward has one target group"),
            );
        }
    }
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
