//! For `check`: requirements that the users of a user pool cannot meet. The users of a pool are in the file.

use std::fmt::Write as _;

use serde_json::Value;

use crate::action::requirement::{Answer, ClaimTest, Requirement, Scalar, Test, Unknown, Unverified};
use crate::action::settings::{AuthenticateKind, GateSettings, ProviderChoice};
use crate::config::{Config, ListenerConfig};
use crate::identity::Identity;
use crate::user_pool::settings::Settings;
use crate::user_pool::supposed_users;

/// Scopes of OpenID Connect with which a pool sends more claims.
const SCOPES: [&str; 5] = ["profile", "email", "groups", "phone", "address"];

/// Warnings about each rule of a listener.
pub(super) fn warnings(listener: &ListenerConfig, config: &Config, found: &mut Vec<String>) {
    for (name, chain) in listener.named_chains() {
        let Some(gate) = chain.gates.iter().find_map(GateSettings::authenticate) else { continue };
        // Where users choose, those of another provider may meet what those of the pool cannot.
        let [ProviderChoice { kind: AuthenticateKind::UserPool(pool), .. }] = gate.providers.as_slice() else {
            continue;
        };
        // Its requirements are also for tokens, whose claims are not in the file.
        if chain.gates.iter().any(|gate| gate.bearer().is_some()) {
            continue;
        }
        let Some(pool) = config.user_pools.iter().find(|known| known.settings.name == *pool) else { continue };
        let users = supposed_users(&pool.settings, &gate.scope);
        if users.is_empty() {
            continue;
        }
        let users = Users { pool: &pool.settings, scope: &gate.scope, users };
        let required = chain.gates.iter().filter_map(GateSettings::authorize);
        for requirement in required.filter_map(|gate| gate.requirement.as_ref()) {
            users.check(requirement, Wanted::Yes, &mut |text| {
                found.push(format!("listener `{}`: {name}: {text}", listener.settings.name));
            });
        }
    }
}

/// Warns about addresses of pools and of their applications with a port that no listener uses: nobody could finish a sign-in there.
pub(super) fn ports(config: &Config, found: &mut Vec<String>) {
    // Clients use the port of a proxy in front, which this file does not name.
    if config.listeners.iter().any(|listener| !listener.settings.forwarded.trusted.is_empty()) {
        return;
    }
    let is_used =
        |port: u16| config.listeners.iter().any(|listener| [port, 0].contains(&listener.settings.address.port()));
    for pool in &config.user_pools {
        let issuer = std::iter::once(("issuer", &pool.settings.issuer));
        for (what, url) in issuer.chain(pool.applications.iter().map(|url| ("application", url))) {
            // The default port is often that of a container, which this file does not name either.
            if let Some(port) = url.port().filter(|port| !is_used(*port)) {
                let (name, url) = (&pool.settings.name, url.origin().ascii_serialization());
                found.push(format!("user pool `{name}`: the {what} {url} uses port {port}, but no listener does"));
            }
        }
    }
}

/// The users of a pool, with the claims that a scope brings.
struct Users<'c> {
    pool: &'c Settings,
    scope: &'c str,
    users: Vec<Identity>,
}

/// The answer that lets a user in: no, below an odd number of `not`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

impl Users<'_> {
    fn check(&self, requirement: &Requirement, wanted: Wanted, tell: &mut impl FnMut(String)) {
        match requirement {
            Requirement::Any(parts) | Requirement::All(parts) => {
                parts.iter().for_each(|part| self.check(part, wanted, tell));
            }
            Requirement::Not(part) => {
                let wanted = if wanted == Wanted::Yes { Wanted::No } else { Wanted::Yes };
                self.check(part, wanted, tell);
            }
            // Not of a user.
            Requirement::Certificate(_) => {}
            Requirement::Claim(test) => self.check_claim(requirement, test, wanted, tell),
        }
    }

    fn check_claim(&self, requirement: &Requirement, test: &ClaimTest, wanted: Wanted, tell: &mut impl FnMut(String)) {
        let answers: Vec<_> = self.users.iter().map(|user| requirement.of(user)).collect();
        let reason = |answer: &Answer| match answer {
            Answer::Unknown(why) => Some(*why),
            Answer::Yes | Answer::No => None,
        };
        let unknown: Vec<_> = answers.iter().filter_map(reason).collect();
        let (pool, scope, claim) = (&self.pool.name, self.scope, test.path.join("."));
        let what = if wanted == Wanted::Yes { requirement.to_string() } else { format!("not ({requirement})") };
        if unknown.len() == answers.len() {
            let (why, help) = (reasons(&unknown), self.help(requirement, &unknown));
            tell(format!(
                "no user of the pool `{pool}` can meet `authorize` where {what}. With the scope `{scope}`, of `{claim}`: {why}{help}"
            ));
        } else if wanted == Wanted::No && !unknown.is_empty() {
            let (count, why, help) = (unknown.len(), reasons(&unknown), self.help(requirement, &unknown));
            tell(format!(
                "`authorize` where {what} refuses users of whom the claim is not known, too: {count} of {} users of the pool \
                 `{pool}`. Of `{claim}`: {why}{help}",
                answers.len()
            ));
        } else if wanted == Wanted::Yes && !answers.contains(&Answer::Yes) {
            let similar = self.similar(test);
            let help = match similar.is_empty() {
                true => String::new(),
                false => help(&format!("texts are compared with case, and the users have {}", similar.join(" and "))),
            };
            tell(format!("no user of the pool `{pool}` meets `authorize` where {what}{help}"));
        }
    }

    /// What to change, so that the claim is known.
    fn help(&self, requirement: &Requirement, unknown: &[Unknown]) -> String {
        let is_known = |user: &Identity| !matches!(requirement.of(user), Answer::Unknown(_));
        let is_unverified = |why: &Unknown| matches!(why, Unknown::NotVerified(Unverified::Absent));
        // A scope may bring the claim.
        for scope in SCOPES.into_iter().filter(|scope| !self.scope.split(' ').any(|given| given == *scope)) {
            let users = supposed_users(self.pool, &format!("{} {scope}", self.scope));
            let is_there = |user: &Identity| {
                is_known(user) || matches!(requirement.of(user), Answer::Unknown(Unknown::NotVerified(_)))
            };
            let is_better = |(before, after): (&Identity, &Identity)| !is_known(before) && is_there(after);
            if unknown.iter().all(|why| *why == Unknown::Absent) && self.users.iter().zip(&users).any(is_better) {
                return help(&format!("add `{scope}` to the `scope` of the action that authenticates"));
            }
        }
        if unknown.iter().any(is_unverified) {
            return help(&format!(
                "a pool does not verify addresses: give each user whose address you know `claims: {{ email_verified: true }}`, in \
                 `user_pools.{}.users`",
                self.pool.name
            ));
        }
        if unknown.contains(&Unknown::Absent) {
            return help(&format!("give the users the claim, in `user_pools.{}.users`", self.pool.name));
        }
        String::new()
    }

    /// Values of the users that differ from a wanted one in case only.
    fn similar(&self, test: &ClaimTest) -> Vec<String> {
        let (Test::Contains(wanted) | Test::Equals(wanted)) = &test.test else { return Vec::new() };
        let mut similar = Vec::new();
        let claims: Vec<_> = self.users.iter().filter_map(|user| user.claim(&test.path)).collect();
        let values = claims.iter().flat_map(|claim| match &**claim {
            Value::Array(elements) => &elements[..],
            other => std::slice::from_ref(other),
        });
        for text in values.filter_map(Value::as_str) {
            let is_meant =
                |wanted: &Scalar| matches!(wanted, Scalar::Text(wanted) if wanted.eq_ignore_ascii_case(text));
            let text = format!("`{text}`");
            if wanted.iter().any(is_meant) && !similar.contains(&text) {
                similar.push(text);
            }
        }
        similar
    }
}

/// `the claim is absent`, or each reason with the number of users: `the claim is absent for 2, …`.
fn reasons(unknown: &[Unknown]) -> String {
    let mut counts: Vec<(Unknown, usize)> = Vec::new();
    for why in unknown {
        match counts.iter_mut().find(|(known, _)| known == why) {
            Some((_, count)) => *count += 1,
            None => counts.push((*why, 1)),
        }
    }
    let mut text = String::new();
    for (place, (why, count)) in counts.iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        let _ = match counts.len() {
            1 => write!(text, "{why}"),
            _ => write!(text, "{comma}{why} for {count}"),
        };
    }
    text
}

fn help(text: &str) -> String {
    format!("\n  help: {text}")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use crate::app::doors::warnings;
    use crate::clock::Clock;
    use crate::config::tests::{SOUND, files, load_in};

    /// What is said of a rule with these gates, with this scope, for these users.
    fn told(name: &str, scope: &str, users: &str, gates: &str) -> String {
        told_of(name, scope, users, gates, |text| text)
    }

    fn told_of(name: &str, scope: &str, users: &str, gates: &str, change: impl Fn(String) -> String) -> String {
        let hash = "\"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"";
        let users = users.replace("HASH", hash);
        let pool = format!(
            "user_pools:\n  people:\n    issuer: https://login.example.com:8443\n    signing_key_file: pool-key\n    applications: \
             [\"https://app.example.com:8443\"]\n    users:\n{users}"
        );
        let rule = format!(
            "\n      - priority: 1\n        conditions: [{{ host_header: [app.example.com] }}]\n        actions:\n          - {{ type: \
             authenticate-user-pool, user_pool: people, session_cookie_name: __Host-people, scope: {scope} }}\n          - {{ type: \
             authorize, {gates} }}\n          - {{ type: forward, target_group: app }}\n"
        );
        let text = change(pool + &SOUND.replace("    rules:\n", &format!("    rules:{rule}")));
        let config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}\n{text}"));
        let found = warnings(&config, Clock::system().now());
        let found = found.iter().filter_map(|text| text.strip_prefix("listener `public`: rule `priority-1`: "));
        found.collect::<Vec<_>>().join("\n")
    }

    const USERS: &str =
        "      - { username: ada, password_hash: HASH, groups: [sre], email: ada@example.com, claims: { level: 3 } }
      - { username: bob, password_hash: HASH, groups: [staff], claims: { team: { name: web } } }
";

    #[test]
    fn a_claim_that_no_user_of_the_pool_has_is_named() {
        let gates = "any: [{ claim: groups, contains: [sre] }, { claim: team.name, equals: [web] }, { claim: team.lead, equals: [ada] }, \
                     { claim: level, equals: [\"3\"] }, { claim: sub, equals: [x] }]";
        assert_snapshot!(told("pool-openid", "openid", USERS, gates), @r##"
        no user of the pool `people` can meet `authorize` where `groups` contains `sre`. With the scope `openid`, of `groups`: the claim is absent
          help: add `groups` to the `scope` of the action that authenticates
        no user of the pool `people` can meet `authorize` where `team.name` is `web`. With the scope `openid`, of `team.name`: the claim is absent
          help: add `profile` to the `scope` of the action that authenticates
        no user of the pool `people` can meet `authorize` where `team.lead` is `ada`. With the scope `openid`, of `team.lead`: the claim is absent
          help: give the users the claim, in `user_pools.people.users`
        no user of the pool `people` can meet `authorize` where `level` is `3`. With the scope `openid`, of `level`: the claim is absent
          help: give the users the claim, in `user_pools.people.users`
        no user of the pool `people` meets `authorize` where `sub` is `x`
        "##);
        assert_snapshot!(told("pool-scopes", "openid profile email groups", USERS, gates), @r##"
        no user of the pool `people` can meet `authorize` where `team.lead` is `ada`. With the scope `openid profile email groups`, of `team.lead`: the claim is absent
          help: give the users the claim, in `user_pools.people.users`
        no user of the pool `people` can meet `authorize` where `level` is `3`. With the scope `openid profile email groups`, of `level`: the claim is of another type for 1, the claim is absent for 1
          help: give the users the claim, in `user_pools.people.users`
        no user of the pool `people` meets `authorize` where `sub` is `x`
        "##);
    }

    #[test]
    fn an_address_that_no_user_has_verified_says_how() {
        let gates = "any: [{ claim: email, domain: [example.com] }]";
        assert_snapshot!(told("pool-email", "openid email", USERS, gates), @r##"
        no user of the pool `people` can meet `authorize` where `email` is a verified address at `example.com`. With the scope `openid email`, of `email`: `email_verified` is absent for 1, the claim is absent for 1
          help: a pool does not verify addresses: give each user whose address you know `claims: { email_verified: true }`, in `user_pools.people.users`
        "##);
        assert_snapshot!(told("pool-email-scope", "openid", USERS, gates), @r##"
        no user of the pool `people` can meet `authorize` where `email` is a verified address at `example.com`. With the scope `openid`, of `email`: the claim is absent
          help: add `email` to the `scope` of the action that authenticates
        "##);
        let verified = USERS.replace("{ level: 3 }", "{ email_verified: true }");
        assert_eq!(told("pool-email-verified", "openid email", &verified, gates), "");
    }

    #[test]
    fn a_not_that_refuses_users_without_the_claim_and_a_wrong_case_are_named() {
        let users = USERS.replace("groups: [staff], ", "");
        let gates = "not: { claim: groups, contains: [contractors] }";
        assert_snapshot!(told("pool-not", "openid groups", &users, gates), @r##"
        `authorize` where not (`groups` contains `contractors`) refuses users of whom the claim is not known, too: 1 of 2 users of the pool `people`. Of `groups`: the claim is absent
          help: give the users the claim, in `user_pools.people.users`
        "##);
        assert_eq!(told("pool-not-known", "openid groups", USERS, gates), "", "nobody is a contractor");
        let gates = "any: [{ claim: groups, contains: [SRE] }]";
        assert_snapshot!(told("pool-case", "openid groups", USERS, gates), @r##"
        no user of the pool `people` meets `authorize` where `groups` contains `SRE`
          help: texts are compared with case, and the users have `sre`
        "##);
        assert_eq!(told("pool-met", "openid groups", USERS, "any: [{ claim: groups, contains: [SRE, sre] }]"), "");
    }

    #[test]
    fn what_a_token_can_meet_is_not_asked_of_the_users() {
        let rule = "[{ claim: client_id, equals: [cli] }]";
        assert!(told("pool-users", "openid", USERS, &format!("any: {rule}")).contains("can meet"));
        let of_both =
            |text: String| text.replace("type: authenticate-user-pool", "type: session-or-bearer, bearer: {}");
        assert_eq!(told_of("pool-tokens", "openid", USERS, &format!("any: {rule}"), of_both), "");
    }
}
