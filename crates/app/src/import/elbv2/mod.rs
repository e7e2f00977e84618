//! The JSON of `aws elbv2 describe-…`: an Application Load Balancer, with everything that it forwards to (ALB §1, §7, §9, §10).
//!
//! `inventory` finds out which document describes what. The other files carry over one kind of object each; the importer of Ingress
//! objects uses them, too, because the annotations of the AWS Load Balancer Controller are the same objects with other letters.

pub(in crate::import) mod actions;
pub(in crate::import) mod attributes;
pub(in crate::import) mod client_certificates;
pub(in crate::import) mod conditions;
mod inventory;
pub(in crate::import) mod jwt;
mod listeners;
pub(in crate::import) mod login;
pub(in crate::import) mod target_groups;
pub(in crate::import) mod transforms;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::import::draft::Draft;
use crate::import::elbv2::inventory::Inventory;
use crate::import::ledger::{At, Ledger};
use crate::import::text::Input;
use crate::import::yaml::Map;

/// Reads the answers of AWS.
///
/// # Errors
///
/// In a sentence: what cannot be read, or what does not belong together.
pub(crate) fn read(inputs: &[Input]) -> Result<(Draft, Ledger), String> {
    let documents = inputs.iter().map(|input| {
        let value: Value =
            serde_json::from_str(&input.text).map_err(|error| format!("{} is not JSON: {error}", input.name))?;
        Ok((input.name.clone(), value))
    });
    let documents: Vec<(String, Value)> = documents.collect::<Result<_, String>>()?;
    let mut ledger = Ledger::default();
    for (file, value) in &documents {
        ledger.add(&At::root(file, value));
    }
    let inventory = Inventory::of(&documents)?;
    let mut draft = Draft::default();
    let balancer = load_balancer(&inventory)?;
    about(&balancer, &mut draft, &mut ledger);
    let common = attributes::load_balancer(&inventory.load_balancer_attributes, &mut ledger);
    let groups = target_groups::all(&inventory, &common, &mut draft, &mut ledger);
    listeners::all(&inventory, &balancer, &common, &groups, &mut draft, &mut ledger)?;
    for store in inventory.trust_stores.iter().chain(&inventory.revocations) {
        ledger.dropped(&store.path, "no listener uses the trust store");
    }
    if common.has_access_log {
        draft.rest.set("access_log", access_log(&balancer, &inventory, &groups));
    }
    Ok((draft, ledger))
}

/// The one load balancer. Listeners of two could have the same port.
fn load_balancer<'v>(inventory: &Inventory<'v>) -> Result<At<'v>, String> {
    let [balancer] = inventory.load_balancers.as_slice() else {
        let count = inventory.load_balancers.len();
        return Err(format!(
            "the files describe {count} load balancers; give those of one (describe-load-balancers --names NAME)"
        ));
    };
    match balancer.text("Type") {
        Some("application") | None => Ok(balancer.clone()),
        Some(other) => {
            Err(format!("the load balancer is of type `{other}`; only an application load balancer has rules"))
        }
    }
}

fn about(balancer: &At<'_>, draft: &mut Draft, ledger: &mut Ledger) {
    let name = balancer.text("LoadBalancerName").unwrap_or("unnamed");
    draft.header.push(format!("From the load balancer {name} of AWS, by `vestibule import elbv2`."));
    if let Some(arn) = balancer.text("LoadBalancerArn") {
        // Applications compare the signer with the ARN of the load balancer (ALB §4.2).
        draft.claims.set("signer", arn);
        draft.claims.comment(
            "signer",
            "Applications compare it: the ARN of the load balancer. The address of the public keys is another one now.",
        );
    }
    draft.claims_of_the_load_balancer();
    for (key, at) in balancer.entries() {
        match key {
            "LoadBalancerArn" => ledger.kept(&at.path, "claims.signer"),
            "LoadBalancerName" => ledger.kept(&at.path, "a comment"),
            "Type" => ledger.kept(&at.path, "the kind of load balancer that Vestibule is"),
            "IpAddressType" => ledger.kept(&at.path, "listeners[].address"),
            "SecurityGroups" => ledger.dropped(
                &at.path,
                "a firewall of AWS: let the firewall of the new machine allow the same networks, or set source_ip conditions",
            ),
            "Scheme" => ledger.dropped(&at.path, "the network of the new machine decides who reaches it"),
            "State" | "CreatedTime" | "DNSName" | "CanonicalHostedZoneId" | "VpcId" | "AvailabilityZones" => {
                ledger.dropped(&at.path, "describes the load balancer of AWS; nothing to set");
            }
            _ => {}
        }
    }
}

/// The lines of the load balancer, with its names.
fn access_log(balancer: &At<'_>, inventory: &Inventory<'_>, groups: &BTreeMap<String, String>) -> Map {
    let mut names = Map::default();
    let id = balancer.text("LoadBalancerArn").and_then(|arn| arn.split_once(":loadbalancer/")).map(|(_, id)| id);
    if let Some(id) = id {
        names.set("load_balancer", id);
    }
    let arns = inventory.target_groups.iter().filter_map(|at| at.text("TargetGroupArn"));
    let of_group = |arn: &str| Some((groups.get(arn)?.clone(), arn.to_owned()));
    let arns = arns.filter_map(of_group).fold(Map::default(), |arns, (name, arn)| arns.with(&name, arn));
    if !arns.is_empty() {
        names.set("target_group_arns", arns);
    }
    let log = attributes::access_log();
    if names.is_empty() { log } else { log.with("alb", names) }
}

#[cfg(test)]
mod tests;
