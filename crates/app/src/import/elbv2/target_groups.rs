//! Target groups, their targets and health checks (ALB §9).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::import::draft::{Draft, free_name};
use crate::import::elbv2::attributes::{Common, Stickiness, pairs, target_group_attribute};
use crate::import::elbv2::inventory::Inventory;
use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};

/// The name of each target group by its ARN.
pub(super) type Groups = BTreeMap<String, String>;

pub(super) fn all(inventory: &Inventory<'_>, common: &Common, draft: &mut Draft, ledger: &mut Ledger) -> Groups {
    let mut groups = Groups::new();
    for at in &inventory.target_groups {
        let Some(arn) = at.text("TargetGroupArn") else { continue };
        let wanted = at.text("TargetGroupName").unwrap_or("targets");
        let name = free_name(wanted, |name| draft.target_groups.iter().any(|(known, _)| known == name));
        let targets = inventory.targets.get(arn).map(Vec::as_slice);
        let attributes = inventory.target_group_attributes.get(arn).map(Vec::as_slice).unwrap_or_default();
        let mut group = group(at, targets, common, ledger);
        add_attributes(attributes, &mut group, ledger);
        draft.target_groups.push((name.clone(), group));
        groups.insert(arn.to_owned(), name);
    }
    groups
}

/// A target group without its attributes.
pub(in crate::import) fn group(at: &At<'_>, targets: Option<&[At<'_>]>, common: &Common, ledger: &mut Ledger) -> Map {
    let mut group = Map::default();
    let is_https = at.text("Protocol") == Some("HTTPS");
    group.set("protocol", if is_https { "https" } else { "http" });
    match at.text("ProtocolVersion") {
        Some("HTTP2") => group.set("protocol_version", "http2"),
        Some("GRPC") => group.set("protocol_version", "grpc"),
        _ => &mut group,
    };
    if is_https {
        group.set("verify", false);
        group.comment(
            "verify",
            "As the load balancer did, which verifies no certificate of a target. Better: true, with ca_file.",
        );
    }
    group.set("targets", self::targets(at, targets, ledger));
    comment_targets(at, targets, &mut group);
    group.extend(&common.target_group);
    if let Some(health) = health_check(at, ledger) {
        group.set("health_check", health);
    }
    about(at, ledger);
    group
}

/// Adds what the attributes say.
pub(in crate::import) fn add_attributes(attributes: &[At<'_>], group: &mut Map, ledger: &mut Ledger) {
    let (mut stickiness, mut thresholds) = (Stickiness::default(), Map::default());
    for attribute in pairs(attributes) {
        target_group_attribute(&attribute, group, &mut stickiness, &mut thresholds, ledger);
    }
    if let Some(Yaml::Map(health)) = group.get("health_check") {
        let mut health = health.clone();
        health.extend(&thresholds);
        group.replace("health_check", health);
    }
    if let Some(stickiness) = stickiness.setting() {
        group.set("stickiness", stickiness);
    }
}

fn targets(at: &At<'_>, described: Option<&[At<'_>]>, ledger: &mut Ledger) -> Yaml {
    let default_port = at.number("Port");
    let is_lambda = at.text("TargetType") == Some("lambda");
    let mut targets = Vec::new();
    for description in described.unwrap_or_default() {
        let Some(target) = description.get("Target") else { continue };
        let id = target.text("Id").unwrap_or_default();
        let port = target.number("Port").or(default_port);
        let state = description.get("TargetHealth");
        let is_leaving = state.as_ref().and_then(|health| health.text("State")) == Some("draining");
        if is_lambda || is_leaving {
            let why =
                if is_lambda { "Vestibule calls no Lambda functions" } else { "the target was leaving the group" };
            ledger.dropped(&description.path, why);
            continue;
        }
        match (id.parse::<IpAddr>(), port) {
            (Ok(IpAddr::V4(address)), Some(port)) => targets.push(Yaml::from(format!("{address}:{port}"))),
            (Ok(IpAddr::V6(address)), Some(port)) => targets.push(Yaml::from(format!("[{address}]:{port}"))),
            (Err(_), Some(port)) => targets.push(Yaml::from(format!("{id}.invalid:{port}"))),
            (_, None) => continue,
        }
        let what =
            if id.parse::<IpAddr>().is_ok() { "targets" } else { "targets, with a name that you have to replace" };
        for key in ["Id", "Port"] {
            let at = target.get(key).into_iter();
            at.for_each(|at| {
                if id.parse::<IpAddr>().is_ok() { ledger.kept(&at.path, what) } else { ledger.changed(&at.path, what) }
            });
        }
        for at in [target.get("AvailabilityZone"), description.get("HealthCheckPort"), state].into_iter().flatten() {
            ledger.dropped(&at.path, "a state or a zone of AWS; nothing to set");
        }
        for key in ["AnomalyDetection", "AdministrativeOverride"] {
            let at = description.get(key).into_iter();
            at.for_each(|at| ledger.dropped(&at.path, "a state of AWS; nothing to set"));
        }
    }
    Yaml::List(targets)
}

fn comment_targets(at: &At<'_>, described: Option<&[At<'_>]>, group: &mut Map) {
    if at.text("TargetType") == Some("lambda") {
        group.comment("targets", "It was a Lambda function. Without targets, requests are answered 503.");
    } else if described.is_none() {
        group.comment(
            "targets",
            "describe-target-health was not given: write the targets. Until then requests are answered 503.",
        );
    } else if matches!(at.text("TargetType"), Some("instance" | "alb")) {
        group.comment(
            "targets",
            "AWS says the names of instances, not their addresses: replace each `….invalid` by an address.",
        );
    }
}

fn health_check(at: &At<'_>, ledger: &mut Ledger) -> Option<Map> {
    let mut health = Map::default();
    let period = |key: &str| at.number(key).map(Duration::from_secs);
    match at.text("HealthCheckProtocol") {
        Some("HTTPS") => health.set("protocol", "https"),
        Some("HTTP") => health.set("protocol", "http"),
        _ => &mut health,
    };
    if let Some(port) = at.text("HealthCheckPort") {
        match port.parse::<u64>() {
            Ok(port) => health.set("port", port),
            Err(_) => health.set("port", port),
        };
    }
    if let Some(path) = at.text("HealthCheckPath") {
        health.set("path", path);
    }
    for (key, name) in [("HealthCheckIntervalSeconds", "interval"), ("HealthCheckTimeoutSeconds", "timeout")] {
        if let Some(period) = period(key) {
            health.set(name, period);
        }
    }
    for (key, name) in
        [("HealthyThresholdCount", "healthy_threshold"), ("UnhealthyThresholdCount", "unhealthy_threshold")]
    {
        if let Some(count) = at.number(key) {
            health.set(name, count);
        }
    }
    let matcher = at.get("Matcher");
    let codes = matcher.as_ref().and_then(|matcher| matcher.text("HttpCode").or(matcher.text("GrpcCode")));
    if let Some(codes) = codes {
        health.set("matcher", codes);
    }
    let is_on = at.flag("HealthCheckEnabled") != Some(false) && at.text("TargetType") != Some("lambda");
    for (key, at) in at.entries() {
        let is_ours = key.starts_with("HealthCheck") || key.ends_with("ThresholdCount") || key == "Matcher";
        if is_ours && is_on {
            ledger.kept(&at.path, "health_check");
        } else if is_ours {
            ledger.dropped(&at.path, "health checks are off");
        }
    }
    (is_on && !health.is_empty()).then_some(health)
}

fn about(at: &At<'_>, ledger: &mut Ledger) {
    for (key, at) in at.entries() {
        match key {
            "TargetGroupName" => ledger.kept(&at.path, "the name in target_groups"),
            "TargetGroupArn" => ledger.changed(&at.path, "rules use the name"),
            "Protocol" => ledger.kept(&at.path, "protocol"),
            "ProtocolVersion" => ledger.kept(&at.path, "protocol_version"),
            "Port" => ledger.kept(&at.path, "the port of targets that have none of their own"),
            "TargetType" if at.value == "lambda" => ledger.dropped(&at.path, "Vestibule calls no Lambda functions"),
            "TargetType" => ledger.kept(&at.path, "targets"),
            "VpcId" | "LoadBalancerArns" | "IpAddressType" | "TargetControlPort" => {
                ledger.dropped(&at.path, "describes the network of AWS; nothing to set");
            }
            _ => {}
        }
    }
}
