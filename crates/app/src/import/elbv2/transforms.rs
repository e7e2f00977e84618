//! Transforms of a rule (ALB §7.3). A part that is not known closes the rule: the target would get another address than before.

use crate::import::draft::Chain;
use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};

/// What is said of transforms that are carried over.
const CHANGED: &str =
    "transforms: the first match is replaced and what is around it stays, which AWS does not say of its load balancer";

/// The key of a rule.
pub(in crate::import) const KEY: &str = "transforms";

/// Carries over the list of transforms of a rule: what belongs below [`KEY`]. `None` if there are none, or if the rule has no target.
pub(in crate::import) fn all(at: &At<'_>, chain: &mut Chain, ledger: &mut Ledger) -> Option<Map> {
    if at.items().is_empty() {
        ledger.kept(&at.path, "none");
        return None;
    }
    match rewrites(at) {
        Ok(transforms) => match &*chain {
            Chain::Open { terminal, .. } if terminal.get("type") == Some(&Yaml::from("forward")) => {
                ledger.changed(&at.path, CHANGED);
                Some(transforms)
            }
            Chain::Open { .. } => {
                ledger.dropped(&at.path, "the rule has no target; its redirect uses what the client has sent");
                None
            }
            Chain::Closed(why) => {
                ledger.dropped(&at.path, &format!("the rule answers 503: {why}"));
                None
            }
        },
        Err(why) => {
            ledger.dropped(&at.path, &why);
            chain.close(&why);
            None
        }
    }
}

fn rewrites(at: &At<'_>) -> Result<Map, String> {
    let mut transforms = Map::default();
    for item in at.items() {
        let kind = item.text("Type").ok_or("a transform has no Type")?;
        let (config, key) = match kind {
            "host-header-rewrite" => ("HostHeaderRewriteConfig", "host_header_rewrite"),
            "url-rewrite" => ("UrlRewriteConfig", "url_rewrite"),
            other => return Err(format!("Vestibule has no transform `{other}`")),
        };
        only(&item, &["Type", config])?;
        let config = item.get(config).ok_or_else(|| format!("the transform has no {config}"))?;
        only(&config, &["Rewrites"])?;
        let entries = config.list("Rewrites");
        let [entry] = entries.as_slice() else {
            return Err(format!("a transform of Vestibule has one expression; this one has {}", entries.len()));
        };
        only(entry, &["Regex", "Replace"])?;
        let (Some(regex), Some(replace)) = (entry.text("Regex"), entry.text("Replace")) else {
            return Err("a transform has no Regex or no Replace".to_owned());
        };
        if transforms.get(key).is_some() {
            return Err(format!("the rule has two transforms `{kind}`"));
        }
        transforms.set(key, Map::default().with("regex", regex).with("replace", replace));
    }
    Ok(transforms)
}

/// A setting that nobody knows changes what the target gets.
fn only(at: &At<'_>, known: &[&str]) -> Result<(), String> {
    let is_known = |key: &str| known.iter().any(|name| key.eq_ignore_ascii_case(name));
    match at.entries().into_iter().find(|(key, _)| !is_known(key)) {
        Some((key, _)) => Err(format!("Vestibule has no setting `{key}` of a transform")),
        None => Ok(()),
    }
}
