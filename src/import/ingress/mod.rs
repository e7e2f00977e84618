//! Ingress objects of the AWS Load Balancer Controller, with the Services and Secrets that they name.
//!
//! The annotations are the settings of a load balancer with other letters, so the parts of `elbv2` carry them over. `objects` reads the
//! documents, `target_groups` makes a group of each Service port, `rules` the rules. An Ingress with an annotation that nobody knows is
//! closed as a whole.

mod login;
mod objects;
mod port;
mod rules;
mod target_groups;

use std::collections::BTreeMap;

use crate::import::draft::{Chain, Draft};
use crate::import::elbv2::attributes::{self, Common};
use crate::import::ingress::objects::{Objects, annotation};
use crate::import::ingress::port::Port;
use crate::import::ledger::{At, Ledger, number};
use crate::import::text::Input;
use crate::import::yaml::{Map, Yaml};

/// Reads the objects.
///
/// # Errors
///
/// In a sentence: what cannot be read, or what does not belong together.
pub(crate) fn read(inputs: &[Input]) -> Result<(Draft, Ledger), String> {
    let documents = objects::documents(inputs)?;
    let mut ledger = Ledger::default();
    for (file, value) in &documents {
        ledger.add(&At::root(file, value));
    }
    let objects = Objects::of(&documents, &mut ledger)?;
    let mut draft = Draft::default();
    draft
        .header
        .push("From Ingress objects of the AWS Load Balancer Controller, by `vestibule import ingress`.".to_owned());
    let common = common(&objects, &mut ledger);
    let mut listeners = listeners(&objects, &common, &mut draft, &mut ledger)?;
    redirect_to_https(&objects, &mut listeners, &mut ledger);
    for ingress in &objects.ingresses {
        rules::add(ingress, &objects, &common, &mut listeners, &mut draft, &mut ledger);
    }
    restrict(&objects, &mut listeners, &mut ledger)?;
    close_unknown(&objects, &mut listeners, &mut ledger);
    draft.listeners.extend(listeners.into_values().map(|port| port.listener));
    login::name_client_ids(&mut draft);
    Ok((draft, ledger))
}

fn common(objects: &Objects<'_>, ledger: &mut Ledger) -> Common {
    let mut common = Common::default();
    for ingress in &objects.ingresses {
        let list = annotation(ingress, "load-balancer-attributes").map(|at| at.items()).unwrap_or_default();
        for attribute in attributes::pairs(&list) {
            attributes::load_balancer_attribute(&attribute, &mut common, ledger);
        }
    }
    common
}

/// The ports of an Ingress and whether they are HTTPS.
fn ports(ingress: &At<'_>) -> Result<Vec<(u64, bool)>, String> {
    let Some(at) = annotation(ingress, "listen-ports") else {
        let has_certificate = annotation(ingress, "certificate-arn").is_some();
        return Ok(vec![if has_certificate { (443, true) } else { (80, false) }]);
    };
    let mut ports = Vec::new();
    for (protocol, port) in at.items().iter().flat_map(At::entries) {
        let is_https = match protocol {
            "HTTPS" => true,
            "HTTP" => false,
            _ => return Err(format!("{}: `{protocol}` is neither HTTP nor HTTPS", port.path)),
        };
        ports.push((number(port.value).ok_or_else(|| format!("{}: no port", port.path))?, is_https));
    }
    if ports.is_empty() { Err(format!("{}: no port", at.path)) } else { Ok(ports) }
}

fn listeners(
    objects: &Objects<'_>,
    common: &Common,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<BTreeMap<u64, Port>, String> {
    let mut listeners: BTreeMap<u64, Port> = BTreeMap::new();
    for ingress in &objects.ingresses {
        for (number, is_https) in ports(ingress)? {
            let port = listeners.entry(number).or_insert_with(|| Port::new(number, is_https, common));
            if port.is_https != is_https {
                return Err(format!("{}: port {number} has two protocols", ingress.path));
            }
            port.ingresses.push(ingress.path.clone());
            if is_https {
                tls(ingress, &mut port.listener.settings, draft, ledger);
            }
        }
        if let Some(at) = annotation(ingress, "listen-ports") {
            ledger.kept(&at.path, "listeners");
        }
    }
    for port in listeners.values_mut().filter(|port| port.is_https) {
        port.listener.settings.extend(&Map::default().with("tls_policy", "TLS13-1-2-Res"));
    }
    Ok(listeners)
}

/// Certificates by ARN, or for the hosts: the controller looks for certificates of the hosts of an Ingress without an ARN.
fn tls(ingress: &At<'_>, settings: &mut Map, draft: &mut Draft, ledger: &mut Ledger) {
    let mut names: Vec<String> = Vec::new();
    if let Some(at) = annotation(ingress, "certificate-arn") {
        let arns = at.value.as_str().unwrap_or_default().split(',').map(str::trim).filter(|arn| !arn.is_empty());
        names.extend(arns.map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned()));
        ledger.changed(&at.path, "files: AWS does not give the private key of a certificate away");
    } else {
        let spec = ingress.get("spec");
        let tls = spec.as_ref().map(|spec| spec.list("tls")).unwrap_or_default();
        let hosts = tls.iter().flat_map(|tls| tls.list("hosts"));
        names.extend(hosts.filter_map(|host| host.value.as_str().map(str::to_owned)));
        let rules = spec.map(|spec| spec.list("rules")).unwrap_or_default();
        names.extend(rules.iter().filter_map(|rule| rule.text("host").map(str::to_owned)));
        if names.is_empty() {
            names.push("default".to_owned());
        }
    }
    let mut files = match settings.get("certificates") {
        Some(Yaml::List(files)) => files.clone(),
        _ => Vec::new(),
    };
    for name in names {
        let name = crate::import::draft::name_like(&name.replace('*', "any"));
        let file = Yaml::Map(draft.certificate(&format!("certs/{name}.pem"), &format!("certs/{name}-key.pem")));
        if !files.contains(&file) {
            files.push(file);
        }
    }
    settings.replace("certificates", Yaml::List(files));
    if let Some(at) = annotation(ingress, "ssl-policy") {
        ledger.changed(
            &at.path,
            "TLS13-1-2-Res: TLS 1.3, and TLS 1.2 with forward secrecy only; older clients cannot connect",
        );
    }
}

/// `ssl-redirect`: listeners of HTTP redirect, and have no rules.
fn redirect_to_https(objects: &Objects<'_>, listeners: &mut BTreeMap<u64, Port>, ledger: &mut Ledger) {
    for ingress in &objects.ingresses {
        let Some(at) = annotation(ingress, "ssl-redirect") else { continue };
        let Some(to) = number(at.value) else { continue };
        for port in listeners.values_mut().filter(|port| !port.is_https) {
            port.redirects = true;
            let redirect =
                Map::default().with("type", "redirect").with("protocol", "HTTPS").with("port", to.to_string());
            port.listener.default = Chain::terminal(redirect.with("status_code", "HTTP_301"));
        }
        ledger.kept(&at.path, "default_actions of the http listeners");
    }
}

/// `inbound-cidrs`: rules of the firewall of the load balancer, which would be gone.
fn restrict(objects: &Objects<'_>, listeners: &mut BTreeMap<u64, Port>, ledger: &mut Ledger) -> Result<(), String> {
    let mut networks: Vec<String> = Vec::new();
    for ingress in &objects.ingresses {
        let Some(at) = annotation(ingress, "inbound-cidrs") else { continue };
        let text = at.value.as_str().unwrap_or_default();
        networks.extend(text.split(',').map(|network| network.trim().to_owned()).filter(|network| !network.is_empty()));
        ledger.kept(&at.path, "source_ip in every rule");
    }
    if networks.is_empty() || networks.iter().any(|network| network == "0.0.0.0/0") {
        return Ok(());
    }
    listeners.values_mut().try_for_each(|port| port.listener.restrict_to(&networks))
}

/// What nobody knows may be a gate.
fn close_unknown(objects: &Objects<'_>, listeners: &mut BTreeMap<u64, Port>, ledger: &mut Ledger) {
    for at in objects.ingresses.iter().chain(objects.services.values()) {
        let Some(unknown) = ledger.unknown(&at.path).first().cloned() else { continue };
        let why = format!("this importer does not know {unknown}");
        let is_service = objects.services.values().any(|service| service.path == at.path);
        for port in listeners.values_mut() {
            let all = port.listener.rules.iter_mut().filter(|rule| is_service || rule.source.starts_with(&at.path));
            all.for_each(|rule| rule.close(&why));
            if is_service || port.listener.source.starts_with(&at.path) {
                port.listener.default.close(&why);
            }
        }
        ledger.revoke(&format!("{}.spec", at.path), &why);
    }
}

#[cfg(test)]
mod tests;
