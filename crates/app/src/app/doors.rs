//! For `check`: the table of who can access each rule, and warnings about valid files that probably do not do what
//! was intended.

mod pools;
mod programs;
mod providers;
pub(crate) mod quotas;
mod trust_stores;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::action::settings::{
    ChainSettings, GateSettings, OnUnauthenticated, Piece, Protocol, RedirectSettings, TerminalSettings,
};
use crate::certificate::client::policy::Mode;
use crate::clock::Timestamp;
use crate::config::{Config, ListenerConfig, RuleConfig};
use crate::listener::settings::{Settings, Tls};
use crate::rule::condition::Condition;

/// Who can access a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Everyone,
    /// Every client with a certificate of the listener's trust store.
    EveryCertificate,
    /// Signed-in users are identified, but signing in is not required.
    EveryoneKnown,
    /// Clients with a certificate that `authorize` accepts.
    Certified,
    SignedIn,
    /// Signed in, with the claims that `authorize` requires.
    Authorized,
    /// Signed in, or with a valid bearer token.
    SignedInOrToken,
    /// Signed in or with a valid bearer token, with the claims that `authorize` requires.
    SignedInOrTokenAuthorized,
    /// A valid bearer token.
    Token,
    /// A valid bearer token, with the claims that `authorize` requires.
    TokenAuthorized,
    Refused,
    Redirect,
    Answer(u16),
}

impl Access {
    fn of(chain: &ChainSettings, listener: &Settings) -> Self {
        let enforces =
            |gate: &GateSettings| matches!(gate, GateSettings::Authorize(authorize) if authorize.is_enforced());
        let is_authorized = chain.gates.iter().any(enforces);
        let takes_tokens = chain.gates.iter().any(|gate| gate.bearer().is_some());
        match (chain.gates.iter().find_map(GateSettings::authenticate), &chain.terminal) {
            (Some(gate), _) => match (gate.on_unauthenticated, takes_tokens, is_authorized) {
                (OnUnauthenticated::Allow, ..) => Self::EveryoneKnown,
                (OnUnauthenticated::Authenticate | OnUnauthenticated::Deny, false, false) => Self::SignedIn,
                (OnUnauthenticated::Authenticate | OnUnauthenticated::Deny, false, true) => Self::Authorized,
                (OnUnauthenticated::Authenticate | OnUnauthenticated::Deny, true, false) => Self::SignedInOrToken,
                (OnUnauthenticated::Authenticate | OnUnauthenticated::Deny, true, true) => {
                    Self::SignedInOrTokenAuthorized
                }
            },
            (None, _) if takes_tokens && is_authorized => Self::TokenAuthorized,
            (None, _) if takes_tokens => Self::Token,
            // Without a user, it asks for the certificate.
            (None, _) if is_authorized => Self::Certified,
            (None, TerminalSettings::Forward(_) | TerminalSettings::Allow(_) | TerminalSettings::Static(_)) => {
                if verifies_clients(listener) {
                    Self::EveryCertificate
                } else {
                    Self::Everyone
                }
            }
            (None, TerminalSettings::Redirect(_)) => Self::Redirect,
            (None, TerminalSettings::FixedResponse(fixed)) if fixed.status.as_u16() >= 400 => Self::Refused,
            (None, TerminalSettings::FixedResponse(fixed)) => Self::Answer(fixed.status.as_u16()),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Everyone => "open to everyone".to_owned(),
            Self::EveryCertificate => "open to every certificate".to_owned(),
            Self::EveryoneKnown => "open to everyone".to_owned() + " (users are known)",
            Self::Certified => "certificates that authorize accepts".to_owned(),
            Self::SignedIn => "signed in".to_owned(),
            Self::Authorized => "signed in and authorized".to_owned(),
            Self::SignedInOrToken => "signed in or token".to_owned(),
            Self::SignedInOrTokenAuthorized => "signed in or token, and authorized".to_owned(),
            Self::Token => "token".to_owned(),
            Self::TokenAuthorized => "token and authorized".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::Redirect => "redirect".to_owned(),
            Self::Answer(status) => format!("answered {status}"),
        }
    }
}

/// Whether every client must show a certificate of a trust store.
fn verifies_clients(listener: &Settings) -> bool {
    let clients = listener.tls.as_ref().and_then(|tls| tls.clients.as_ref());
    clients.is_some_and(|policy| matches!(policy.mode, Mode::Verify(_)))
}

/// One line per rule of each listener: the access and the conditions.
pub(crate) fn table(config: &Config) -> String {
    let mut text = String::new();
    for listener in &config.listeners {
        let _ = writeln!(text, "listener `{}` ({})", listener.settings.name, listener.settings.address);
        let mut lines: Vec<[String; 3]> =
            in_order(listener).into_iter().map(|rule| line(rule, &listener.settings)).collect();
        lines.push([
            Access::of(&listener.default, &listener.settings).text(),
            "default_actions".to_owned(),
            "every other request".to_owned(),
        ]);
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
        let (first, second) = (width(0), width(1));
        for [access, name, conditions] in &lines {
            let _ = writeln!(text, "  {access:first$}  {name:second$}  {conditions}");
        }
    }
    text
}

fn line(rule: &RuleConfig, listener: &Settings) -> [String; 3] {
    let conditions: Vec<_> = rule.conditions.iter().map(ToString::to_string).collect();
    [Access::of(&rule.chain, listener).text(), rule.name.to_string(), conditions.join(" and ")]
}

/// The rules in matching order.
fn in_order(listener: &ListenerConfig) -> Vec<&RuleConfig> {
    let mut rules: Vec<_> = listener.rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    rules
}

/// Warnings, one line each.
pub(crate) fn warnings(config: &Config, now: Timestamp) -> Vec<String> {
    let mut found = Vec::new();
    for listener in &config.listeners {
        unreachable_rules(listener, &mut found);
        redirects(listener, &mut found);
        certificates(listener, config, now, &mut found);
        pools::warnings(listener, config, &mut found);
        programs::warnings(listener, config, &mut found);
    }
    providers::warnings(config, &mut found);
    trust_stores::warnings(config, now, &mut found);
    pools::ports(config, &mut found);
    found
}

/// Rules that can never match, because an earlier rule matches all their requests.
fn unreachable_rules(listener: &ListenerConfig, found: &mut Vec<String>) {
    let rules = in_order(listener);
    let name = &listener.settings.name;
    for (index, rule) in rules.iter().enumerate() {
        if rule.conditions.iter().all(Condition::holds_for_every_request) {
            let behind = rules.len() - index - 1;
            found.push(format!(
                "listener `{name}`: rule `{}` matches every request; {behind} {} after it and `default_actions` never match",
                rule.name,
                if behind == 1 { "rule" } else { "rules" }
            ));
            return;
        }
        if let Some(earlier) = rules[..index].iter().find(|earlier| takes_all_of(earlier, rule)) {
            found.push(format!(
                "listener `{name}`: rule `{}` can never match: rule `{}` (priority {}) matches all of its requests",
                rule.name, earlier.name, earlier.priority
            ));
        }
    }
}

/// Whether `earlier` matches every request that `rule` matches: each condition of `earlier` must follow from a
/// condition of `rule`.
fn takes_all_of(earlier: &RuleConfig, rule: &RuleConfig) -> bool {
    let follows = |condition: &Condition| rule.conditions.iter().any(|other| condition.covers(other));
    earlier.conditions.iter().all(|condition| condition.holds_for_every_request() || follows(condition))
}

/// Redirects to HTTPS that lead to an endless loop or to a port without TLS.
fn redirects(listener: &ListenerConfig, found: &mut Vec<String>) {
    if listener.settings.tls.is_some() {
        return;
    }
    for (name, chain) in listener.named_chains() {
        let TerminalSettings::Redirect(redirect) = &chain.terminal else { continue };
        if redirect.protocol != Some(Protocol::Https) {
            continue;
        }
        if !listener.settings.forwarded.trusted.is_empty() && is_to_itself(redirect) {
            found.push(format!(
                "listener `{}`: {name} redirects HTTPS requests from a trusted proxy to HTTPS again, in an endless loop; let the \
                 proxy redirect",
                listener.settings.name
            ));
        } else if redirect.port.0 == [Piece::Port] {
            found.push(format!(
                "listener `{}`: {name} redirects to HTTPS on the port for plain HTTP; set `port: '443'`",
                listener.settings.name
            ));
        }
    }
}

fn is_to_itself(redirect: &RedirectSettings) -> bool {
    redirect.host.0 == [Piece::Host] && redirect.path.0.last() == Some(&Piece::Path) && redirect.path.0.len() <= 2
}

/// Expired certificates and OCSP responses, and hosts without a certificate.
fn certificates(listener: &ListenerConfig, config: &Config, now: Timestamp, found: &mut Vec<String>) {
    let Some(Tls { certificates, auto, .. }) = &listener.settings.tls else { return };
    let certificates = || certificates.iter();
    let name = &listener.settings.name;
    let of = |server_name: Option<&str>| server_name.map(|name| format!(" for {name}")).unwrap_or_default();
    for (index, server_name) in certificates().flat_map(|table| table.expired(now)) {
        found.push(format!("listener `{name}`: certificate {}{} has expired", index + 1, of(server_name)));
    }
    for (index, server_name) in certificates().flat_map(|table| table.outdated_ocsp(now)) {
        found.push(format!(
            "listener `{name}`: the OCSP response of certificate {}{} is out of date, and is not sent to clients",
            index + 1,
            of(server_name)
        ));
    }
    let conditions = listener.rules.iter().flat_map(|rule| &rule.conditions);
    let mut hosts: BTreeSet<String> = conditions.flat_map(Condition::host_names).collect();
    hosts.extend(
        config
            .user_pools
            .iter()
            .flat_map(|pool| pool.settings.origins())
            .filter_map(|url| url.domain().map(str::to_owned)),
    );
    let is_covered =
        |name: &str| certificates().any(|table| table.is_for(name)) || auto.iter().any(|covered| &**covered == name);
    for host in hosts {
        // For a wildcard pattern, any name below it is representative.
        let sample = host.strip_prefix("*.").map_or_else(|| host.clone(), |parent| format!("any.{parent}"));
        if !sample.contains(['*', '?']) && !is_covered(&sample) {
            found.push(format!("listener `{name}`: no certificate covers {host}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::certificate::ocsp::made;
    use crate::clock::Clock;
    use crate::config::tests::{SOUND, files, load_in};

    fn config(name: &str, rules: &str, change: impl Fn(&str) -> String) -> Config {
        let text = change(&SOUND.replace("    rules:\n", &format!("    rules:{rules}\n")));
        load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}\n{text}"))
    }

    #[track_caller]
    fn warns(name: &str, rules: &str, expected: &[&str]) {
        let config = config(name, rules, str::to_owned);
        assert_eq!(warnings(&config, Clock::system().now()), expected, "{rules}");
    }

    fn rule(priority: u32, conditions: &str) -> String {
        format!(
            "\n      - priority: {priority}\n        conditions: [{conditions}]\n        actions: [{{ type: fixed-response, \
             status_code: 200 }}]"
        )
    }

    #[test]
    fn the_table_says_who_is_let_in() {
        let rules = rule(1, "{ path_pattern: [/healthz] }")
            + "\n      - { name: open, priority: 2, conditions: [{ path_pattern: [\"/open/*\"] }], actions: [{ type: forward, target_group: app }] }"
            + "\n      - { name: no, priority: 3, conditions: [{ path_pattern: [\"/no/*\"] }], actions: [{ type: fixed-response, status_code: 403 }] }"
            + "\n      - { name: docs, priority: 5, conditions: [{ path_pattern: [\"/docs/*\"] }], actions: [{ type: static, directory: site }] }"
            + "\n      - { name: known, priority: 4, conditions: [{ path_pattern: [\"/k/*\"] }], actions: [{ type: authenticate-oidc, provider: corp, on_unauthenticated_request: allow }, { type: forward, target_group: app }] }";
        insta::assert_snapshot!(table(&config("table", &rules, str::to_owned)), @r"
        listener `public` (0.0.0.0:8443)
          answered 200                        priority-1       path_pattern [/healthz]
          open to everyone                    open             path_pattern [/open/*]
          refused                             no               path_pattern [/no/*]
          open to everyone (users are known)  known            path_pattern [/k/*]
          open to everyone                    docs             path_pattern [/docs/*]
          signed in                           api              path_pattern [/api/*]
          signed in                           default_actions  every other request
        ");
    }

    #[test]
    fn the_table_says_where_tokens_and_certificates_let_in() {
        let rules = "\n      - { name: both, priority: 1, conditions: [{ path_pattern: [/b] }], actions: [{ type: session-or-bearer, provider: corp, bearer: { audience: [a] } }, { type: forward, target_group: app }] }\
                     \n      - { name: some, priority: 2, conditions: [{ path_pattern: [/s] }], actions: [{ type: session-or-bearer, provider: corp, bearer: { audience: [a] } }, { type: authorize, any: [{ claim: sub, equals: [ada] }] }, { type: forward, target_group: app }] }\
                     \n      - { name: open, priority: 3, conditions: [{ path_pattern: [/o] }], actions: [{ type: forward, target_group: app }] }";
        let verifies = |text: &str| {
            let listener = "    protocol: https\n    mutual_authentication: { mode: verify, trust_store: staff }\n";
            text.replace("    protocol: https\n", listener) + "trust_stores: { staff: { ca_files: [ca.pem] } }\n"
        };
        insta::assert_snapshot!(table(&config("table-of-tokens", rules, verifies)), @r"
        listener `public` (0.0.0.0:8443)
          signed in or token                  both             path_pattern [/b]
          signed in or token, and authorized  some             path_pattern [/s]
          open to every certificate           open             path_pattern [/o]
          signed in                           api              path_pattern [/api/*]
          signed in                           default_actions  every other request
        ");
    }

    #[test]
    fn rules_that_never_match_are_named() {
        let two = |first: &str, second: &str| rule(1, first) + &rule(2, second);
        let never = [
            "listener `public`: rule `priority-2` can never match: rule `priority-1` (priority 1) matches all of its requests",
        ];
        for (name, first, second) in [
            ("path", "{ path_pattern: [\"/a/*\"] }", "{ path_pattern: [\"/a/b/*\", \"/a/c\"] }"),
            ("same", "{ host_header: [A.test] }", "{ host_header: [a.test] }, { path_pattern: [/x] }"),
            (
                "host",
                "{ host_header: [\"*.app.example.com\", app.example.com] }",
                "{ host_header: [app.example.com] }, { path_pattern: [/y] }",
            ),
            ("method", "{ http_request_method: [GET, POST] }", "{ http_request_method: [GET] }"),
            ("network", "{ source_ip: [10.0.0.0/8] }", "{ source_ip: [10.1.0.0/16] }, { path_pattern: [\"/x*\"] }"),
            ("query", "{ query_string: [{ value: \"b*\" }] }", "{ query_string: [{ key: a, value: beta }] }"),
            ("regex", "{ path_pattern: [\"/a/*\"] }", "{ path_pattern: { regex_values: [\"^/a/[0-9]+$\"] } }"),
            ("regex-2", "{ path_pattern: { regex_values: [\"^/a/[0-9]+$\"] } }", "{ path_pattern: [/a/1] }"),
        ] {
            let rules = two(first, second);
            let config = config(name, &rules, str::to_owned);
            let found = warnings(&config, Clock::system().now());
            assert!(found.contains(&never[0].to_owned()), "{name}: {found:?}");
        }
        for (name, first, second) in [
            ("wider", "{ path_pattern: [\"/a/b/*\"] }", "{ path_pattern: [\"/a/*\"] }"),
            ("partly", "{ path_pattern: [\"/a/*\"] }", "{ path_pattern: [\"/a/b\", \"/b\"] }"),
            ("both", "{ path_pattern: [\"/a/*\"] }, { http_request_method: [GET] }", "{ path_pattern: [\"/a/b\"] }"),
            ("one", "{ path_pattern: [\"/a/?\"] }", "{ path_pattern: [\"/a/*\"] }"),
            ("regex-3", "{ path_pattern: { regex_values: [\"^/a/[0-9]+$\"] } }", "{ path_pattern: [\"/a/1*\"] }"),
        ] {
            warns(name, &two(first, second), &[]);
        }
        let networks = two("{ source_ip: [0.0.0.0/0, \"::/0\"] }", "{ path_pattern: [/x] }");
        let all = "listener `public`: rule `priority-1` matches every request; 2 rules after it and `default_actions` never match";
        warns("networks", &networks, &[all]);
        warns("networks-4", &two("{ source_ip: [0.0.0.0/0] }", "{ path_pattern: [/x] }"), &[]);
        let all = "listener `public`: rule `priority-1` matches every request; 1 rule after it and `default_actions` never match";
        warns("regex-all", &rule(1, "{ path_pattern: { regex_values: [\"^/.*$\"] } }"), &[all]);
        warns(
            "all",
            &two("{ path_pattern: [\"/*\"] }", "{ path_pattern: [/x] }"),
            &[
                "listener `public`: rule `priority-1` matches every request; 2 rules after it and `default_actions` never match",
            ],
        );
    }

    #[test]
    fn the_ports_of_a_pool_are_missed_only_where_no_proxy_can_have_them() {
        let text = |listener: &str| {
            format!(
                "user_pools:\n  people:\n    issuer: https://login.example.com:9443\n    signing_key_file: pool-key\n    \
                 applications: [\"https://app.example.com:8443\", \"https://wiki.example.com:9444\", \"https://web.example.com\"]\n{}",
                SOUND.replace("    protocol: https\n", &format!("    protocol: https\n{listener}"))
            )
        };
        let missed = |name: &str, listener: &str| {
            let config = load_in(&files(name), &text(listener)).unwrap_or_else(|report| panic!("{report}"));
            let mut found = warnings(&config, Clock::system().now());
            found.retain(|text| text.contains("but no listener does"));
            found
        };
        assert_eq!(
            missed("port-direct", ""),
            [
                "user pool `people`: the issuer https://login.example.com:9443 uses port 9443, but no listener does",
                "user pool `people`: the application https://wiki.example.com:9444 uses port 9444, but no listener does",
            ]
        );
        assert_eq!(missed("port-behind", "    trusted_proxies: [10.0.0.0/8]\n"), [""; 0]);
    }

    #[test]
    fn certificates_that_are_over_or_for_other_hosts_are_named() {
        let rules = rule(1, "{ host_header: [app.example.com, \"*.example.com\", other.test, 192.0.2.1] }")
            + &rule(2, "{ host_header: { regex_values: [\"^regex[.]test$\", \"^.*[.]regexes[.]test$\"] } }");
        let config = config("certificates", &rules, str::to_owned);
        assert_eq!(
            warnings(&config, Clock::system().now()),
            [
                "listener `public`: no certificate covers *.example.com",
                "listener `public`: no certificate covers other.test",
                "listener `public`: no certificate covers regex.test"
            ]
        );
        let later = Timestamp::from_seconds(u64::from(u32::MAX) * 1000);
        assert!(warnings(&config, later)[0].contains("certificate 1 for app.example.com has expired"));
    }

    #[test]
    fn an_ocsp_response_that_is_out_of_date_is_named() {
        let files = files("outdated-ocsp");
        let chain = std::fs::read(files.join("tls.pem")).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(&chain).unwrap();
        std::fs::write(files.join("tls.ocsp"), made::about(&pem.contents, made::GOOD, Some("20261206000000Z")))
            .unwrap();
        let text = SOUND
            .replace("private_key_file: tls-key.pem", "private_key_file: tls-key.pem\n        ocsp_file: tls.ocsp");
        let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
        let at = Timestamp::from_seconds(1_796_515_200);
        assert_eq!(warnings(&config, at - Duration::from_secs(1)), [""; 0]);
        let said = "listener `public`: the OCSP response of certificate 1 for app.example.com is out of date, and is not sent to clients";
        assert_eq!(warnings(&config, at), [said]);
    }

    #[test]
    fn hosts_whose_certificate_is_obtained_by_acme_are_covered() {
        let rules = rule(1, "{ host_header: [a.test, \"*.a.test\"] }");
        let acme = "acme: { directory: \"https://acme.test/directory\", directory_path: acme, terms_of_service_agreed: true }\n";
        let config = config("acme", &rules, |text| {
            acme.to_owned() + &text.replace("    protocol: https\n", "    protocol: https\n    tls: auto\n")
        });
        assert_eq!(warnings(&config, Clock::system().now()), ["listener `public`: no certificate covers *.a.test"]);
    }
}
