//! The objects of the documents, and their annotations.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::import::documents;
use crate::import::ledger::{At, Ledger, number};
use crate::import::text::Input;

const PREFIX: &str = "alb.ingress.kubernetes.io/";

/// Annotations that are pairs: `key=value,key=value`.
const PAIRS: [&str; 4] = ["load-balancer-attributes", "target-group-attributes", "listener-attributes.", "tags"];

/// Annotations about the load balancer of AWS, which have nothing to be in Vestibule, and why.
const DROPPED: [(&str, &str); 18] = [
    ("load-balancer-name", "the name of the load balancer of AWS"),
    ("tags", "tags of AWS"),
    ("scheme", "the network of the new machine decides who reaches it"),
    ("subnets", "the network of the new machine decides who reaches it"),
    ("security-groups", "a firewall of AWS: let the firewall of the new machine allow the same networks"),
    ("manage-backend-security-group-rules", "a firewall of AWS"),
    ("wafv2-acl-arn", "there is no web application firewall of AWS in front any more"),
    ("wafv2-acl-name", "there is no web application firewall of AWS in front any more"),
    ("waf-acl-id", "there is no web application firewall of AWS in front any more"),
    ("shield-advanced-protection", "a service of AWS"),
    ("customer-owned-ipv4-pool", "an address of AWS"),
    ("load-balancer-capacity-reservation", "a property of the load balancer of AWS"),
    ("target-node-labels", "targets are named by their Service"),
    ("target-type", "targets are named by their Service"),
    ("ip-address-type", "listeners are on all addresses of IPv4"),
    ("group.name", "all rules are in one file"),
    ("group.order", "the priority of the rules"),
    ("multi-cluster-target-group", "targets are named by their Service"),
];

#[derive(Debug, Default)]
pub(super) struct Objects<'v> {
    /// In the order in which the controller makes rules of them.
    pub(super) ingresses: Vec<At<'v>>,
    /// By namespace and name.
    pub(super) services: BTreeMap<(String, String), At<'v>>,
    pub(super) secrets: BTreeMap<(String, String), At<'v>>,
    /// Of AWS: `TrustStores` and `TrustStoreRevocations`.
    pub(super) trust_stores: Vec<At<'v>>,
    pub(super) revocations: Vec<At<'v>>,
}

/// All objects of the files, those of a `List` too. The settings within annotations are parts of the tree.
pub(super) fn documents(inputs: &[Input]) -> Result<Vec<(String, Value)>, String> {
    let mut objects = Vec::new();
    for input in inputs {
        for document in documents::yaml(input)? {
            let items = match document.get("items").and_then(Value::as_array) {
                Some(items) => items.clone(),
                None => vec![document],
            };
            for mut object in items {
                let kind = object["kind"].as_str().unwrap_or("object").to_owned();
                let (namespace, name) = name_of(&object);
                expand(&mut object);
                let is_of_aws = object.get("kind").is_none();
                let place =
                    if is_of_aws { input.name.clone() } else { format!("{}: {kind} {namespace}/{name}", input.name) };
                objects.push((place, object));
            }
        }
    }
    Ok(objects)
}

fn name_of(object: &Value) -> (String, String) {
    let text = |key: &str, default: &str| object["metadata"][key].as_str().unwrap_or(default).to_owned();
    (text("namespace", "default"), text("name", "unnamed"))
}

fn expand(object: &mut Value) {
    let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) else { return };
    for (key, value) in annotations.iter_mut() {
        let (Some(name), Some(text)) = (key.strip_prefix(PREFIX), value.as_str()) else { continue };
        if PAIRS.iter().any(|pairs| name == *pairs || (pairs.ends_with('.') && name.starts_with(pairs))) {
            let pair = |pair: &str| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                json!({"Key": key.trim(), "Value": value.trim()})
            };
            *value = Value::Array(text.split(',').filter(|text| !text.trim().is_empty()).map(pair).collect());
        } else if text.trim_start().starts_with(['{', '[']) {
            // What is no JSON stays text, which nobody takes for an object.
            if let Ok(parsed) = serde_json::from_str(text) {
                *value = parsed;
            }
        }
    }
}

/// An annotation of the controller.
pub(super) fn annotation<'v>(object: &At<'v>, name: &str) -> Option<At<'v>> {
    object.get("metadata")?.get("annotations")?.get(&format!("{PREFIX}{name}"))
}

impl<'v> Objects<'v> {
    pub(super) fn of(documents: &'v [(String, Value)], ledger: &mut Ledger) -> Result<Self, String> {
        let mut objects = Self::default();
        for (file, value) in documents {
            let at = At::root(file, value);
            match at.text("kind") {
                Some("Ingress") => {
                    is_of_this_controller(&at)?;
                    about(&at, ledger);
                    objects.ingresses.push(at);
                }
                Some("Service") => {
                    about(&at, ledger);
                    for key in ["spec", "status"] {
                        at.get(key)
                            .into_iter()
                            .for_each(|at| ledger.kept(&at.path, "targets, if a rule uses the Service"));
                    }
                    objects.services.insert(name_of(value), at);
                }
                Some("Secret") => {
                    ledger.changed(
                        &at.path,
                        "the client ID is in identity_providers; write the client secret into its file",
                    );
                    objects.secrets.insert(name_of(value), at);
                }
                Some("IngressClassParams") => {
                    return Err(format!(
                        "{file}: IngressClassParams can restrict who comes in, and is not read: write its settings as annotations"
                    ));
                }
                None if at.get("TrustStores").or(at.get("TrustStoreRevocations")).is_some() => {
                    objects.trust_stores.extend(at.list("TrustStores"));
                    objects.revocations.extend(at.list("TrustStoreRevocations"));
                }
                _ => ledger.dropped(&at.path, "neither an Ingress nor a Service"),
            }
        }
        objects.order()?;
        Ok(objects)
    }

    /// By `group.order`, then by name. Objects of several groups are several load balancers.
    fn order(&mut self) -> Result<(), String> {
        let group = |at: &At<'_>| annotation(at, "group.name").and_then(|at| at.value.as_str().map(str::to_owned));
        let [first, rest @ ..] = self.ingresses.as_slice() else { return Err("the files have no Ingress".to_owned()) };
        if let Some(other) = rest.iter().find(|other| group(other).is_none() || group(other) != group(first)) {
            return Err(format!(
                "{} and {} are two load balancers (group.name): import each of its own",
                first.path, other.path
            ));
        }
        let order = |at: &At<'_>| annotation(at, "group.order").and_then(|at| number(at.value)).unwrap_or_default();
        self.ingresses.sort_by_key(|at| (order(at), name_of(at.value)));
        Ok(())
    }
}

/// Refuses an object of another controller. Its annotations, which are not read, may keep people out.
fn is_of_this_controller(ingress: &At<'_>) -> Result<(), String> {
    let annotations = ingress.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let names: Vec<&str> = annotations.iter().flat_map(At::entries).map(|(name, _)| name).collect();
    let of_another = |name: &&&str| {
        name.split_once('/').is_some_and(|(prefix, _)| prefix.contains("ingress")) && !name.starts_with(PREFIX)
    };
    let advice = "import only objects of the AWS Load Balancer Controller";
    if let Some(name) = names.iter().find(of_another) {
        return Err(format!(
            "{}: the annotation `{name}` is for another controller, and may decide who comes in: {advice}",
            ingress.path
        ));
    }
    let annotated = annotations.as_ref().and_then(|annotations| annotations.get("kubernetes.io/ingress.class"));
    let class = ingress.get("spec").and_then(|spec| spec.get("ingressClassName")).or(annotated);
    match class.as_ref().and_then(|class| class.value.as_str()) {
        Some(class) if !class.contains("alb") && !names.iter().any(|name| name.starts_with(PREFIX)) => {
            Err(format!("{}: the class is `{class}`, and no annotation begins with `{PREFIX}`: {advice}", ingress.path))
        }
        _ => Ok(()),
    }
}

/// What says nothing about requests.
fn about(at: &At<'_>, ledger: &mut Ledger) {
    for (key, at) in at.entries() {
        match key {
            "apiVersion" | "kind" => ledger.kept(&at.path, "what is read"),
            "status" => ledger.dropped(&at.path, "a state of the cluster; nothing to set"),
            "metadata" => metadata(&at, ledger),
            _ => {}
        }
    }
    if let Some(class) = at.get("spec").and_then(|spec| spec.get("ingressClassName")) {
        ledger.dropped(&class.path, "there is no controller any more");
    }
}

fn metadata(at: &At<'_>, ledger: &mut Ledger) {
    for (key, at) in at.entries() {
        match key {
            "name" | "namespace" => ledger.kept(&at.path, "names of rules and target groups"),
            "annotations" => {
                for (name, at) in at.entries() {
                    match name.strip_prefix(PREFIX) {
                        None => ledger.dropped(&at.path, "an annotation for another program"),
                        Some(name) => {
                            if let Some((_, why)) = DROPPED.iter().find(|(known, _)| *known == name) {
                                ledger.dropped(&at.path, why);
                            }
                        }
                    }
                }
            }
            _ => ledger.dropped(&at.path, "a state of the cluster; nothing to set"),
        }
    }
}

/// The text of an annotation, also one that was read as another scalar.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
