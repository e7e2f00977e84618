//! Listeners and their rules (ALB §7, §10.8, §10.9).

use crate::import::draft::{Chain, Draft, Listener, Rule, everything, name_like};
use crate::import::elbv2::actions::{self, Context};
use crate::import::elbv2::attributes::{Common, OfListener, pairs};
use crate::import::elbv2::client_certificates::TrustStores;
use crate::import::elbv2::conditions;
use crate::import::elbv2::inventory::Inventory;
use crate::import::elbv2::target_groups::Groups;
use crate::import::elbv2::transforms;
use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};

/// The two policies of TLS that Vestibule has (ALB §10.9).
const POLICIES: [&str; 2] = ["ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06"];

pub(super) fn all(
    inventory: &Inventory<'_>,
    balancer: &At<'_>,
    common: &Common,
    groups: &Groups,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(), String> {
    for at in &inventory.listeners {
        let listener = Reader { inventory, balancer, common, groups }.listener(at, draft, ledger)?;
        draft.listeners.push(listener);
    }
    for rule in &inventory.rules {
        if let Some(unread) = ledger.unknown(&rule.path).first() {
            return Err(format!("{unread}: the rule belongs to none of the listeners"));
        }
    }
    Ok(())
}

struct Reader<'r, 'v> {
    inventory: &'r Inventory<'v>,
    balancer: &'r At<'v>,
    common: &'r Common,
    groups: &'r Groups,
}

impl<'v> Reader<'_, 'v> {
    fn listener(&self, at: &At<'v>, draft: &mut Draft, ledger: &mut Ledger) -> Result<Listener, String> {
        let arn = at.text("ListenerArn").ok_or_else(|| format!("{}: no ListenerArn", at.path))?;
        let port = at.number("Port").ok_or_else(|| format!("{}: no Port", at.path))?;
        let is_https = match at.text("Protocol") {
            Some("HTTPS") => true,
            Some("HTTP") => false,
            other => return Err(format!("{}: protocol {}", at.path, other.unwrap_or("unknown"))),
        };
        let scheme = if is_https { "https" } else { "http" };
        let wildcard = if self.balancer.text("IpAddressType") == Some("ipv4") { "0.0.0.0" } else { "[::]" };
        let mut settings = Map::default().with("address", format!("{wildcard}:{port}")).with("protocol", scheme);
        if is_https {
            settings.set("certificates", self.certificates(at, arn, draft, ledger));
            policy(at, &mut settings, ledger);
        }
        settings.extend(&self.common.listener);
        if !self.common.limits.is_empty() {
            settings.set("limits", self.common.limits.clone());
        }
        let attributes = self.inventory.listener_attributes.get(arn).map(Vec::as_slice).unwrap_or_default();
        let of_listener = OfListener::read(&pairs(attributes), ledger);
        if !of_listener.response_headers.is_empty() {
            settings.set("response_headers", of_listener.response_headers.clone());
        }
        if let Some(tls) = of_listener.tls_headers(self.common).filter(|_| is_https) {
            settings.set("tls_headers", tls);
        }
        let (default, source) = self.default(at, arn, draft, ledger)?;
        let mut listener = Listener { name: format!("{scheme}-{port}"), settings, rules: Vec::new(), default, source };
        for rule in self.rules_of(arn) {
            if rule.flag("IsDefault") != Some(true) {
                let rule = self.rule(rule, draft, ledger)?;
                listener.rules.push(rule);
            }
        }
        for key in ["Port", "Protocol", "ListenerArn", "LoadBalancerArn", "AlpnPolicy"] {
            at.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "listeners"));
        }
        self.client_certificates(at, &mut listener, &of_listener.certificate, draft, ledger);
        if let Some(unknown) = ledger.unknown(&at.path).first() {
            // It may be a gate.
            return Err(format!(
                "{unknown}: this importer does not know the setting, and it may restrict who comes in"
            ));
        }
        Ok(listener)
    }

    fn client_certificates(
        &self,
        at: &At<'v>,
        listener: &mut Listener,
        header_names: &Map,
        draft: &mut Draft,
        ledger: &mut Ledger,
    ) {
        let Some(mutual) = at.get("MutualAuthentication") else { return };
        match TrustStores::of(self.inventory).setting(&mutual, header_names, draft, ledger) {
            Ok(None) => {}
            Ok(Some(setting)) => {
                listener.settings.set("mutual_authentication", setting);
            }
            Err(why) => {
                ledger.dropped(&mutual.path, &why);
                listener.close(&why, ledger);
            }
        }
    }

    /// `arn:…:listener-rule/app/NAME/LB/LISTENER/RULE` belongs to `arn:…:listener/app/NAME/LB/LISTENER`.
    fn rules_of(&self, listener: &str) -> impl Iterator<Item = &At<'v>> {
        let prefix = format!("{}/", listener.replacen(":listener/", ":listener-rule/", 1));
        let rules = self.inventory.rules.iter();
        rules.filter(move |rule| rule.text("RuleArn").is_some_and(|arn| arn.starts_with(&prefix)))
    }

    /// The default actions are in the listener, and once more in its default rule. Without that rule, the other rules of the listener are
    /// missing, too: what they keep closed would reach the default actions.
    fn default(
        &self,
        at: &At<'v>,
        arn: &str,
        draft: &mut Draft,
        ledger: &mut Ledger,
    ) -> Result<(Chain, String), String> {
        let rule = self.rules_of(arn).find(|rule| rule.flag("IsDefault") == Some(true));
        let rule =
            rule.ok_or_else(|| format!("the rules of {arn} are missing (describe-rules --listener-arn {arn})"))?;
        let mut chain = self.chain(rule, "Actions", draft, ledger);
        for key in ["RuleArn", "Priority", "IsDefault", "Conditions", "Transforms"] {
            rule.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "default_actions"));
        }
        close_if_unknown(&mut chain, &rule.path, ledger);
        if at.get("DefaultActions").is_some() {
            let mut own = self.chain(at, "DefaultActions", draft, ledger);
            let source = format!("{}.DefaultActions", at.path);
            close_if_unknown(&mut own, &source, ledger);
            let is_same = own == chain || (own.is_closed() && chain.is_closed());
            if !is_same {
                return Err(format!(
                    "{source} and {} are different: describe listeners and rules once more",
                    rule.path
                ));
            }
        }
        Ok((chain, rule.path.clone()))
    }

    fn chain(&self, at: &At<'v>, key: &str, draft: &mut Draft, ledger: &mut Ledger) -> Chain {
        let groups = self.groups;
        let target_group = |at: &At<'_>| {
            let arn = at.text("TargetGroupArn").ok_or("a forward has no target group")?;
            groups.get(arn).cloned().ok_or_else(|| format!("describe-target-groups has no {arn}"))
        };
        let preserve_host_header = self.common.preserve_host_header;
        let mut context = Context { draft, ledger, preserve_host_header, target_group: &target_group };
        actions::chain(&at.list(key), &mut context)
    }

    fn rule(&self, at: &At<'v>, draft: &mut Draft, ledger: &mut Ledger) -> Result<Rule, String> {
        let priority = at.number("Priority").ok_or_else(|| format!("{}: no Priority", at.path))?;
        let (mut conditions, missing) = conditions::all(&at.list("Conditions"), ledger);
        let mut chain = self.chain(at, "Actions", draft, ledger);
        if let Some(why) = missing {
            chain.close(&why);
        }
        if conditions.is_empty() {
            conditions.push(everything());
        }
        let mut settings = Map::default();
        if let Some(made) = at.get("Transforms").and_then(|at| transforms::all(&at, &mut chain, ledger)) {
            settings.set(transforms::KEY, made);
        }
        for key in ["RuleArn", "Priority", "IsDefault"] {
            at.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "rules"));
        }
        close_if_unknown(&mut chain, &at.path, ledger);
        Ok(Rule {
            name: format!("priority-{priority}"),
            priority,
            conditions,
            chain,
            settings,
            source: at.path.clone(),
        })
    }

    fn certificates(&self, at: &At<'v>, arn: &str, draft: &mut Draft, ledger: &mut Ledger) -> Yaml {
        let more = self.inventory.listener_certificates.get(arn).map(Vec::as_slice).unwrap_or_default();
        let (mut files, mut seen) = (Vec::new(), Vec::new());
        // The default certificate is the first (ALB §10.9).
        for certificate in at.list("Certificates").iter().chain(more) {
            ledger.changed(&certificate.path, "a file: AWS does not give the private key of a certificate away");
            let Some(arn) = certificate.text("CertificateArn") else { continue };
            if seen.contains(&arn) {
                continue;
            }
            seen.push(arn);
            let name = name_like(arn.rsplit('/').next().unwrap_or(arn));
            files.push(draft.certificate(&format!("certs/{name}.pem"), &format!("certs/{name}-key.pem")));
        }
        Yaml::from(files)
    }
}

/// A rule with something that the importer does not know may be a rule with a gate that it does not know.
fn close_if_unknown(chain: &mut Chain, path: &str, ledger: &mut Ledger) {
    if let Some(unknown) = ledger.unknown(path).first() {
        chain.close(&format!("this importer does not know {unknown}"));
    }
    if let Chain::Closed(why) = chain {
        ledger.revoke(path, &format!("the rule answers 503: {why}"));
    }
}

fn policy(at: &At<'_>, settings: &mut Map, ledger: &mut Ledger) {
    let Some(policy) = at.get("SslPolicy") else { return };
    let name = policy.value.as_str().unwrap_or_default();
    if POLICIES.contains(&name) {
        settings.set("tls_policy", name);
        ledger.kept(&policy.path, "tls_policy");
    } else {
        settings.set("tls_policy", "TLS13-1-2-Res");
        ledger.changed(
            &policy.path,
            "TLS13-1-2-Res: TLS 1.3, and TLS 1.2 with forward secrecy only; older clients cannot connect",
        );
    }
}
