//! The ports of the Ingress objects: listeners with their certificates, attributes and what they ask of clients.

use std::collections::BTreeMap;

use crate::import::draft::{Draft, name_like};
use crate::import::elbv2::attributes::{self, Common, OfListener};
use crate::import::elbv2::client_certificates::TrustStores;
use crate::import::ingress::objects::{Objects, annotation};
use crate::import::ingress::port::Port;
use crate::import::ledger::{At, Ledger, number};
use crate::import::yaml::{Map, Yaml};

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

pub(super) fn all(
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
            listener_attributes(ingress, number, port, common, ledger);
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
        let name = name_like(&name.replace('*', "any"));
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

/// `listener-attributes.HTTPS-443`.
fn listener_attributes(ingress: &At<'_>, number: u64, port: &mut Port, common: &Common, ledger: &mut Ledger) {
    let scheme = if port.is_https { "HTTPS" } else { "HTTP" };
    let at = annotation(ingress, &format!("listener-attributes.{scheme}-{number}"));
    let of_listener = OfListener::read(&attributes::pairs(&at.map(|at| at.items()).unwrap_or_default()), ledger);
    if !of_listener.response_headers.is_empty() {
        port.listener.settings.set("response_headers", of_listener.response_headers.clone());
    }
    if let Some(tls) = of_listener.tls_headers(common).filter(|_| port.is_https) {
        port.listener.settings.set("tls_headers", tls);
    }
    port.header_names.extend(&of_listener.certificate);
}

/// `mutual-authentication`: what listeners ask of clients. What cannot be carried over closes the listener.
pub(super) fn client_certificates(
    objects: &Objects<'_>,
    listeners: &mut BTreeMap<u64, Port>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) {
    let stores = TrustStores::new(objects.trust_stores.clone(), objects.revocations.clone());
    let mut close = |ports: &mut dyn Iterator<Item = &mut Port>, at: &At<'_>, why: &str| {
        ledger.dropped(&at.path, why);
        ports.for_each(|port| port.listener.close(why, ledger));
    };
    for ingress in &objects.ingresses {
        let Some(at) = annotation(ingress, "mutual-authentication") else { continue };
        if !at.value.is_array() {
            let mut ports = listeners.values_mut().filter(|port| port.ingresses.contains(&ingress.path));
            close(&mut ports, &at, "mutual-authentication cannot be read");
        }
        for item in at.items() {
            let Some(port) = item.number("port").and_then(|number| listeners.get_mut(&number)) else {
                close(&mut listeners.values_mut(), &item, "mutual-authentication names a port that is none");
                continue;
            };
            let names = port.header_names.clone();
            let mut scratch = Ledger::default();
            scratch.add(&item);
            let setting = stores.setting(&item, &names, draft, &mut scratch).map(Option::unwrap_or_default);
            let unknown = scratch.unknown(&item.path);
            match (setting, &port.mutual_authentication) {
                (Ok(_), _) if !unknown.is_empty() => {
                    close(&mut std::iter::once(port), &item, "mutual-authentication has a setting that nobody knows");
                }
                (Ok(setting), Some(other)) if setting != *other => {
                    close(
                        &mut std::iter::once(port),
                        &item,
                        "two Ingress objects ask for different client certificates",
                    );
                }
                (Ok(setting), _) => port.mutual_authentication = Some(setting),
                (Err(why), _) => close(&mut std::iter::once(port), &item, &why),
            }
        }
    }
    for port in listeners.values_mut() {
        if let Some(setting) = port.mutual_authentication.take().filter(|setting| !setting.is_empty()) {
            port.listener.settings.set("mutual_authentication", setting);
        }
    }
    for ingress in &objects.ingresses {
        if let Some(at) = annotation(ingress, "mutual-authentication") {
            ledger.kept(&at.path, "mutual_authentication of the listeners");
        }
    }
    for store in objects.trust_stores.iter().chain(&objects.revocations) {
        ledger
            .changed(&store.path, "trust_stores: files that you have to download, if a listener uses the trust store");
    }
}
