//! Which of the given documents describes what. The answers of AWS for attributes, certificates and target health do not say whose they are:
//! the name of the file has to.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::import::ledger::At;

/// Everything that was given.
#[derive(Debug, Default)]
pub(super) struct Inventory<'v> {
    pub(super) load_balancers: Vec<At<'v>>,
    pub(super) listeners: Vec<At<'v>>,
    pub(super) rules: Vec<At<'v>>,
    pub(super) target_groups: Vec<At<'v>>,
    pub(super) load_balancer_attributes: Vec<At<'v>>,
    pub(super) trust_stores: Vec<At<'v>>,
    /// Lists of revoked certificates.
    pub(super) revocations: Vec<At<'v>>,
    /// By ARN.
    pub(super) listener_attributes: BTreeMap<String, Vec<At<'v>>>,
    pub(super) listener_certificates: BTreeMap<String, Vec<At<'v>>>,
    pub(super) target_group_attributes: BTreeMap<String, Vec<At<'v>>>,
    pub(super) targets: BTreeMap<String, Vec<At<'v>>>,
}

/// What a document of attributes is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    LoadBalancer,
    Listener,
    TargetGroup,
}

impl<'v> Inventory<'v> {
    /// Reads all documents: file name and content.
    ///
    /// # Errors
    ///
    /// In a sentence: a document that is none of AWS, or that cannot be assigned.
    pub(super) fn of(documents: &'v [(String, Value)]) -> Result<Self, String> {
        let mut inventory = Self::default();
        let mut later = Vec::new();
        for (file, value) in documents {
            let root = At::root(file, value);
            if root.get("NextToken").or(root.get("NextMarker")).is_some() {
                return Err(format!(
                    "{file} is one page of several: describe it without --max-items and --no-paginate"
                ));
            }
            let mut is_known = false;
            for (key, list) in [
                ("LoadBalancers", &mut inventory.load_balancers),
                ("Listeners", &mut inventory.listeners),
                ("Rules", &mut inventory.rules),
                ("TargetGroups", &mut inventory.target_groups),
                ("TrustStores", &mut inventory.trust_stores),
                ("TrustStoreRevocations", &mut inventory.revocations),
            ] {
                is_known |= root.get(key).is_some();
                list.extend(root.list(key));
            }
            for key in ["Attributes", "Certificates", "TargetHealthDescriptions"] {
                if let Some(at) = root.get(key) {
                    is_known = true;
                    later.push((file, key, at));
                }
            }
            if !is_known {
                return Err(format!(
                    "{file} is not an answer of `aws elbv2 describe-…`: it has none of LoadBalancers, Listeners, Rules, TargetGroups, \
                     TargetHealthDescriptions, Attributes, Certificates, TrustStores and TrustStoreRevocations"
                ));
            }
        }
        if inventory.listeners.is_empty() {
            return Err("the files describe no listener (describe-listeners)".to_owned());
        }
        for (file, key, at) in later {
            inventory.assign(file, key, &at)?;
        }
        Ok(inventory)
    }

    fn assign(&mut self, file: &str, key: &str, at: &At<'v>) -> Result<(), String> {
        let owner = match key {
            "Certificates" => Owner::Listener,
            "TargetHealthDescriptions" => Owner::TargetGroup,
            _ => owner(at),
        };
        let (map, arn) = match owner {
            Owner::LoadBalancer => {
                self.load_balancer_attributes.extend(at.items());
                return Ok(());
            }
            Owner::Listener => {
                let arn = whose(file, &self.listeners, "ListenerArn", "Port", "listener")?;
                let is_attributes = key == "Attributes";
                (if is_attributes { &mut self.listener_attributes } else { &mut self.listener_certificates }, arn)
            }
            Owner::TargetGroup => {
                let arn = whose(file, &self.target_groups, "TargetGroupArn", "TargetGroupName", "target group")?;
                (if key == "Attributes" { &mut self.target_group_attributes } else { &mut self.targets }, arn)
            }
        };
        if map.insert(arn.clone(), at.items()).is_some() {
            return Err(format!("{file} has {key} of {arn}, and so has another file"));
        }
        Ok(())
    }
}

/// Attributes of the three kinds have names of their own.
fn owner(at: &At<'_>) -> Owner {
    let items = at.items();
    let has = |begin: &str| items.iter().any(|item| item.text("Key").is_some_and(|key| key.starts_with(begin)));
    if has("routing.http.response.") || has("routing.http.request.") {
        Owner::Listener
    } else if has("stickiness.") || has("deregistration_delay.") || has("target_group_health.") || has("lambda.") {
        Owner::TargetGroup
    } else {
        Owner::LoadBalancer
    }
}

/// The ARN of the object that the name of the file names: by the last part of its ARN, or by its name or port. If there is one object only,
/// the name does not matter.
fn whose(file: &str, objects: &[At<'_>], arn: &str, name: &str, what: &str) -> Result<String, String> {
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".json");
    let words: Vec<&str> = stem.split(['.', '_']).collect();
    let is_named = |text: &str| {
        stem == text
            || words.contains(&text)
            || stem.ends_with(&format!("-{text}"))
            || stem.ends_with(&format!("={text}"))
    };
    let arns = objects.iter().filter_map(|object| {
        let arn = object.text(arn)?;
        let given = object.get(name).map(|at| at.value.as_str().map_or_else(|| at.value.to_string(), str::to_owned));
        Some((arn, given.unwrap_or_default()))
    });
    let arns: Vec<(&str, String)> = arns.collect();
    if let [(arn, _)] = arns.as_slice() {
        return Ok((*arn).to_owned());
    }
    let mut named: Vec<&(&str, String)> =
        arns.iter().filter(|(arn, given)| arn.rsplit('/').next().is_some_and(is_named) || is_named(given)).collect();
    // Of `app` and `my-app`, a file `target-health-my-app.json` names the longer one.
    let longest = named.iter().map(|(_, given)| given.len()).max().unwrap_or_default();
    if named.len() > 1 {
        named.retain(|(_, given)| given.len() == longest);
    }
    match named.as_slice() {
        [(arn, _)] => Ok((*arn).to_owned()),
        _ => Err(format!(
            "{file} does not say which {what} it is about: end its name with the last part of the ARN, as docs/MIGRATION.md does"
        )),
    }
}
