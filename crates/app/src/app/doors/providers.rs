//! For `check`: settings of Microsoft Entra ID with which users cannot sign in or are not let in, and requirements that users of another
//! provider can meet.

use std::sync::Arc;

use url::Url;

use crate::action::requirement::{ClaimTest, Requirement};
use crate::action::settings::{AuthenticateKind, ChainSettings, GateSettings};
use crate::config::Config;
use crate::oidc::settings::Settings;

/// Hosts of Microsoft Entra ID, with those of national clouds.
const ENTRA_HOSTS: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];

/// Endpoints of all tenants. The issuer of their tokens is that of the user's tenant.
const SHARED_TENANTS: [&str; 3] = ["common", "organizations", "consumers"];

/// Any of these lets Microsoft Graph tell the groups of the user.
const GRAPH_SCOPES: [&str; 6] =
    ["User.Read", "User.Read.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", ".default"];

/// Warnings about each provider.
pub(super) fn warnings(config: &Config, found: &mut Vec<String>) {
    for provider in config.providers.iter().map(|provider| &provider.settings) {
        let of_provider = |(_, chain): &(String, &ChainSettings)| is_with(chain, provider);
        let chains: Vec<_> = config
            .listeners
            .iter()
            .flat_map(|listener| {
                let of = |name| format!("{name} of listener `{}`", listener.settings.name);
                listener.named_chains().map(move |(name, chain)| (of(name), chain))
            })
            .filter(of_provider)
            .collect();
        without_graph_scope(provider, &chains, found);
        entra(provider, &chains, found);
    }
    claims_of_any_provider(config, found);
}

/// Rules whose users choose a provider, and that look at claims without looking at who says them. A group `admin` of one provider is not the
/// group `admin` of another, and a provider can say any address.
fn claims_of_any_provider(config: &Config, found: &mut Vec<String>) {
    let chains = config.listeners.iter().flat_map(|listener| {
        listener.named_chains().map(move |(name, chain)| (listener.settings.name.clone(), name, chain))
    });
    for (listener, name, chain) in chains {
        let providers = chain.gates.iter().filter_map(GateSettings::authenticate).flat_map(|gate| &gate.providers);
        let names: Vec<_> = providers.map(|provider| format!("`{}`", provider.kind.name())).collect();
        let required = chain.gates.iter().filter_map(GateSettings::authorize);
        let tests: Vec<_> =
            required.filter_map(|gate| gate.requirement.as_ref()).flat_map(Requirement::tests).collect();
        let paths = || {
            tests.iter().filter_map(|test| match test {
                Requirement::Claim(ClaimTest { path, .. }) => Some(path),
                _ => None,
            })
        };
        if names.len() > 1 && paths().next().is_some() && !paths().any(|path| *path == ["iss"]) {
            found.push(format!(
                "listener `{listener}`: {name}: users choose among {}, and `authorize` does not say whose claims count: each of these \
                 providers can let users in by the groups and addresses that it says\n  help: add `{{ claim: iss, equals: [ISSUER] }}`, or \
                 write a rule for each provider",
                names.join(", ")
            ));
        }
    }
}

fn is_with(chain: &ChainSettings, provider: &Settings) -> bool {
    let gate = chain.gates.iter().find_map(GateSettings::authenticate);
    gate.is_some_and(|gate| gate.is_with(&AuthenticateKind::Oidc(Arc::clone(&provider.name))))
}

/// Rules that sign users in without a scope that Microsoft Graph wants. Only users who are in very many groups would notice.
fn without_graph_scope(provider: &Settings, chains: &[(String, &ChainSettings)], found: &mut Vec<String>) {
    if provider.graph.as_ref().is_none_or(|graph| graph.wanted.is_empty()) {
        return;
    }
    let is_granted = |chain: &ChainSettings| {
        let gate = chain.gates.iter().find_map(GateSettings::authenticate);
        let last = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_owned();
        gate.is_some_and(|gate| gate.scope.split(' ').any(|scope| GRAPH_SCOPES.contains(&&*last(scope))))
    };
    let without: Vec<_> = chains.iter().filter(|(_, chain)| !is_granted(chain)).map(|(name, _)| &**name).collect();
    if !without.is_empty() {
        found.push(format!(
            "provider `{}` has `entra_groups: graph`, and users in many groups cannot sign in by {}\n  help: add `User.Read` to \
             `scope` there",
            provider.name,
            without.join(", ")
        ));
    }
}

fn entra(provider: &Settings, chains: &[(String, &ChainSettings)], found: &mut Vec<String>) {
    let Ok(issuer) = Url::parse(&provider.issuer) else { return };
    if !issuer.host_str().is_some_and(|host| ENTRA_HOSTS.contains(&host)) {
        return;
    }
    let tenant = issuer.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default();
    if SHARED_TENANTS.contains(&tenant) {
        found.push(format!(
            "provider `{}`: nobody can sign in with the issuer `{}`: tokens have the issuer of the user's tenant\n  help: write the \
             issuer of your tenant: `https://{}/<tenant id>/v2.0`",
            provider.name,
            provider.issuer,
            issuer.host_str().unwrap_or_default()
        ));
    }
    for (name, chain) in chains {
        let required = chain.gates.iter().filter_map(GateSettings::authorize);
        let mut tests = required.filter_map(|gate| gate.requirement.as_ref()).flat_map(Requirement::tests);
        let is_email =
            |test: &Requirement| matches!(test, Requirement::Claim(ClaimTest { path, .. }) if *path == ["email"]);
        if tests.any(is_email) {
            found.push(format!(
                "provider `{}`: {name} looks at `email`, and Microsoft Entra does not send `email_verified`: the address of nobody \
                 counts\n  help: use `allowed_groups`, also with `groups_claim: roles`",
                provider.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::app::doors::warnings;
    use crate::clock::Clock;
    use crate::config::tests::{SOUND, files, load_in};

    /// What is said of the provider, with a rule that has this scope and these keys.
    fn told(name: &str, provider: &str, scope: &str, keys: &str) -> Vec<String> {
        let rule = format!(
            "\n      - priority: 1\n        conditions: [{{ path_pattern: [/x] }}]\n        actions:\n          - {{ type: authenticate-oidc, \
             provider: corp, session_cookie_name: __Host-corp, scope: {scope}{keys} }}\n          - {{ type: forward, target_group: app }}\n"
        );
        let text = SOUND.replace("    rules:\n", &format!("    rules:{rule}"));
        let text = match provider.strip_prefix("https:") {
            Some(_) => text.replace("https://login.example.com\n", &format!("{provider}\n")),
            None => text.replace("    client_id:", &format!("{provider}    client_id:")),
        };
        let config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}\n{text}"));
        let found = warnings(&config, Clock::system().now());
        found.into_iter().filter(|warning| warning.starts_with("provider ")).collect()
    }

    #[test]
    fn rules_without_the_scope_that_microsoft_graph_wants_are_named_at_once() {
        let (graph, groups) = ("    entra_groups: graph\n", ", allowed_groups: [a]");
        let told = |name: &str, provider: &str, scope: &str, keys: &str| told(name, provider, scope, keys).join("\n");
        let both = "by rule `priority-1` of listener `public`, rule `api` of listener `public`, `default_actions` of listener `public`\n";
        let none = told("graph-none", graph, "openid profile", groups);
        assert!(none.contains(both) && none.contains("add `User.Read`"), "{none}");
        for (name, scope) in [
            ("graph-read", "openid User.Read"),
            ("graph-url", "openid https://graph.microsoft.com/GroupMember.Read.All"),
            ("graph-default", "openid https://graph.microsoft.com/.default"),
        ] {
            let others = told(name, graph, scope, groups);
            assert!(others.contains("by rule `api` of listener"), "{scope}: {others}");
        }
        assert_eq!(told("graph-unwanted", graph, "openid", ""), "");
        assert_eq!(told("graph-token", "", "openid", groups), "");
    }

    #[test]
    fn an_issuer_of_all_tenants_and_addresses_of_entra_are_named() {
        let tenant = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";
        assert_eq!(told("entra", tenant, "openid", ", allowed_groups: [a]"), [""; 0]);
        for shared in ["common", "organizations"] {
            let issuer = format!("https://login.microsoftonline.com/{shared}/v2.0");
            let found = told("entra-shared", &issuer, "openid", "").join("\n");
            assert!(found.contains("nobody can sign in") && found.contains("/<tenant id>/v2.0"), "{found}");
        }
        let found = told("entra-email", tenant, "openid email", ", allowed_email_domains: [example.com]").join("\n");
        assert!(found.contains("rule `priority-1` of listener `public` looks at `email`"), "{found}");
        let elsewhere =
            told("entra-not", "https://login.company.com", "openid email", ", allowed_email_domains: [example.com]");
        assert_eq!(elsewhere, [""; 0]);
    }

    #[test]
    fn a_rule_whose_users_choose_must_say_whose_claims_count() {
        let said = |name: &str, providers: &str, authorize: &str| {
            let rule = format!(
                "\n      - priority: 1\n        conditions: [{{ path_pattern: [/x] }}]\n        actions:\n          - {{ type: \
                 authenticate-oidc, {providers} }}\n{authorize}          - {{ type: forward, target_group: app }}\n"
            );
            let partner = "identity_providers:\n  partner: { issuer: https://partner.company.com, client_id: x, \
                           token_endpoint_auth_method: none, callback_path: /cb }\n";
            let text = SOUND.replace("    rules:\n", &format!("    rules:{rule}"));
            let text = text.replace("identity_providers:\n", partner);
            let config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}\n{text}"));
            let found = warnings(&config, Clock::system().now());
            found.into_iter().filter(|warning| warning.contains("whose claims count")).collect::<Vec<_>>()
        };
        let (both, groups) = ("providers: [corp, partner]", "{ claim: groups, contains: [a] }");
        let all = |tests: &str| format!("          - {{ type: authorize, all: [{tests}] }}\n");
        let found = said("whose", both, &all(groups));
        assert!(
            found.len() == 1
                && found[0].starts_with("listener `public`: rule `priority-1`: users choose among `corp`, `partner`")
        );
        assert_eq!(said("whose-iss", both, &all(&format!("{groups}, {{ claim: iss, equals: [https://x] }}"))), [""; 0]);
        assert_eq!(said("whose-one", "provider: corp", &all(groups)), [""; 0]);
        assert_eq!(said("whose-none", both, ""), [""; 0]);
        assert_eq!(said("whose-short", &format!("{both}, allowed_groups: [a]"), "").len(), 1);
    }
}
