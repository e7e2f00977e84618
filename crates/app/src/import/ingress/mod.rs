//! Ingress objects of the AWS Load Balancer Controller, with the Services and Secrets that they name.
//!
//! The annotations are the settings of a load balancer with other letters, so the parts of `elbv2` carry them over. `objects` reads the
//! documents, `target_groups` makes a group of each Service port, `rules` the rules. An Ingress with an annotation that nobody knows is
//! closed as a whole.

mod listeners;
mod login;
mod objects;
mod port;
mod rules;
mod target_groups;

use std::collections::{BTreeMap, BTreeSet};

use crate::import::draft::{Chain, Draft};
use crate::import::elbv2::attributes::{self, Common};
use crate::import::ingress::objects::{Objects, annotation};
use crate::import::ingress::port::Port;
use crate::import::ledger::{At, Ledger, number};
use crate::import::text::Input;
use crate::import::yaml::Map;

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
    draft.claims_of_the_load_balancer();
    draft
        .header
        .push("From Ingress objects of the AWS Load Balancer Controller, by `vestibule import ingress`.".to_owned());
    let common = common(&objects, &mut ledger);
    let mut listeners = listeners::all(&objects, &common, &mut draft, &mut ledger)?;
    redirect_to_https(&objects, &mut listeners, &mut ledger);
    for ingress in &objects.ingresses {
        rules::add(ingress, &objects, &common, &mut listeners, &mut draft, &mut ledger);
    }
    restrict(&objects, &mut listeners, &mut ledger)?;
    listeners::client_certificates(&objects, &mut listeners, &mut draft, &mut ledger);
    close_unknown(&objects, &mut listeners, &mut ledger);
    if common.has_access_log {
        draft.rest.set("access_log", attributes::access_log());
    }
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

/// `inbound-cidrs`: rules of the firewall of the load balancer, which would be gone. They are for the ports of their Ingress, and an Ingress
/// without any has those of the others of its port. The controller refuses two lists for one port.
fn restrict(objects: &Objects<'_>, listeners: &mut BTreeMap<u64, Port>, ledger: &mut Ledger) -> Result<(), String> {
    for port in listeners.values_mut() {
        let mut networks = BTreeSet::new();
        for ingress in objects.ingresses.iter().filter(|ingress| port.ingresses.contains(&ingress.path)) {
            let Some(at) = annotation(ingress, "inbound-cidrs") else { continue };
            // Another value stays unknown, and closes the rules of the Ingress.
            let Some(text) = at.value.as_str() else { continue };
            ledger.kept(&at.path, "source_ip in every rule of its ports");
            let own = text.split(',').map(str::trim).filter(|network| !network.is_empty());
            let own: BTreeSet<String> = own.map(str::to_owned).collect();
            if !networks.is_empty() && !own.is_empty() && own != networks {
                return Err(format!(
                    "{}: {} has other inbound-cidrs by another Ingress",
                    at.path, port.listener.source
                ));
            }
            networks.extend(own);
        }
        // A load balancer without addresses of version 6 has clients of version 4 only.
        let is_dual = |ingress: &&At<'_>| {
            port.ingresses.contains(&ingress.path)
                && annotation(ingress, "ip-address-type")
                    .and_then(|at| at.value.as_str())
                    .is_some_and(|kind| kind.starts_with("dualstack"))
        };
        let has_v6 =
            networks.iter().any(|network| network.contains(':')) || objects.ingresses.iter().any(|at| is_dual(&at));
        let is_all = networks.contains("0.0.0.0/0") && (!has_v6 || networks.contains("::/0"));
        if !networks.is_empty() && !is_all {
            port.listener.restrict_to(&networks.into_iter().collect::<Vec<_>>())?;
        }
    }
    Ok(())
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
