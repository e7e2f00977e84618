//! What every importer makes: a configuration before it is written.
//!
//! It fails closed. A rule of which a part could not be carried over is [closed](Rule::close): it takes the requests that it took before, or
//! more, and answers 503. No importer leaves out a rule or a gate, because the requests would then reach a later rule or a target.

use std::collections::BTreeMap;

use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

/// The status of a closed rule.
const CLOSED_STATUS: u64 = 503;
/// The last priority that there is.
const PRIORITY_MAX: u64 = 50_000;
const NAME_LENGTH_MAX: usize = 64;

/// A configuration.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Comments at the top.
    pub(crate) header: Vec<String>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) providers: Vec<(String, Map)>,
    pub(crate) target_groups: Vec<(String, Map)>,
    pub(crate) trust_stores: Vec<(String, Map)>,
    /// Keys of `session` and `claims` beside those that each file has.
    pub(crate) session: Map,
    pub(crate) claims: Map,
    /// Further sections.
    pub(crate) rest: Map,
    /// What the operator has to provide, by the name of the file or the variable.
    pub(crate) needs: BTreeMap<String, Need>,
}

/// Something that is not in the input, and that the result needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A certificate chain, with the file of its private key.
    Certificate { key: String },
    /// The private key of a certificate.
    PrivateKey,
    /// The client secret of a provider.
    ClientSecret,
    /// A key that `vestibule keys` makes, with that command.
    Made { command: String },
    /// A directory of files that are served.
    Directory,
    /// A variable of the environment.
    Variable { what: String },
    /// Certificates of authorities, with the files of their lists of revoked certificates, and where they come from.
    Authorities { lists: Vec<String>, what: String },
    /// A list of revoked certificates, and where it comes from.
    Revoked { what: String },
}

/// A listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) settings: Map,
    pub(crate) rules: Vec<Rule>,
    pub(crate) default: Chain,
    /// Where its default actions are in the input.
    pub(crate) source: String,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) priority: u64,
    pub(crate) conditions: Vec<Map>,
    pub(crate) chain: Chain,
    /// Keys of the rule beside those. Without effect if it is closed.
    pub(crate) settings: Map,
    /// Where it is in the input.
    pub(crate) source: String,
}

/// The actions of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chain {
    Open {
        login: Option<Login>,
        gates: Vec<Map>,
        terminal: Map,
    },
    /// With the reason.
    Closed(String),
}

/// An `authenticate-oidc`, or a `session-or-bearer`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Login {
    pub(crate) provider: String,
    /// Further providers: the user chooses one of them and that one.
    pub(crate) others: Vec<String>,
    /// The name of the session cookie in the input. `None` is the default there.
    pub(crate) cookie: Option<String>,
    pub(crate) settings: Map,
    /// Bearer tokens are accepted, too: `bearer` of `session-or-bearer`.
    pub(crate) bearer: Option<Map>,
}

impl Chain {
    /// A chain with nothing in front of its terminal.
    pub(crate) fn terminal(terminal: Map) -> Self {
        Self::Open { login: None, gates: Vec::new(), terminal }
    }

    /// Answers 503 from now on. The first reason stays.
    pub(crate) fn close(&mut self, why: &str) {
        if matches!(self, Self::Open { .. }) {
            *self = Self::Closed(why.to_owned());
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl Rule {
    /// Answers 503 from now on.
    pub(crate) fn close(&mut self, why: &str) {
        self.chain.close(why);
    }
}

impl Listener {
    /// Answers 503 to everything from now on.
    pub(crate) fn close(&mut self, why: &str, ledger: &mut Ledger) {
        for (chain, source) in self.rules.iter_mut().map(|rule| (&mut rule.chain, &rule.source)) {
            chain.close(why);
            ledger.revoke(source, why);
        }
        self.default.close(why);
        ledger.revoke(&self.source, why);
    }

    /// Lets only clients of these networks in, which was done in front of the rules. Others are answered 403. `Err` if there is no room for
    /// the rule that takes the place of the default actions.
    pub(crate) fn restrict_to(&mut self, networks: &[String]) -> Result<(), String> {
        if self.rules.iter().any(|rule| rule.priority == PRIORITY_MAX) {
            return Err(format!("the listener has a rule with the priority {PRIORITY_MAX} already"));
        }
        for rule in &mut self.rules {
            if rule.conditions.iter().any(|condition| condition.get("source_ip").is_some()) {
                rule.close("the rule has networks of its own, and the listener has others");
            } else {
                rule.conditions.push(Map::default().with("source_ip", networks));
            }
        }
        let denied = Map::default().with("type", "fixed-response").with("status_code", 403);
        let rest = std::mem::replace(&mut self.default, Chain::terminal(denied));
        self.rules.push(Rule {
            name: "all-others".to_owned(),
            priority: PRIORITY_MAX,
            conditions: vec![Map::default().with("source_ip", networks)],
            chain: rest,
            settings: Map::default(),
            source: self.source.clone(),
        });
        Ok(())
    }
}

impl Draft {
    /// The name of a provider with these settings. The same settings have the same name.
    pub(crate) fn provider(&mut self, wanted: &str, settings: Map) -> String {
        if let Some((name, _)) = self.providers.iter().find(|(_, known)| *known == settings) {
            return name.clone();
        }
        let name = free_name(wanted, |name| self.providers.iter().any(|(known, _)| known == name));
        self.providers.push((name.clone(), settings));
        name
    }

    /// Adds a trust store, unless there is one of that name.
    pub(crate) fn trust_store(&mut self, name: &str, settings: Map) {
        if !self.trust_stores.iter().any(|(known, _)| known == name) {
            self.trust_stores.push((name.to_owned(), settings));
        }
    }

    /// Says what the operator has to provide.
    pub(crate) fn needs(&mut self, name: &str, need: Need) {
        self.needs.entry(name.to_owned()).or_insert(need);
    }

    /// A certificate and its key, and what is needed for them.
    pub(crate) fn certificate(&mut self, certificate: &str, key: &str) -> Map {
        self.needs(certificate, Need::Certificate { key: key.to_owned() });
        self.needs(key, Need::PrivateKey);
        let file = |name: &str| Yaml::File(name.to_owned());
        Map::default().with("certificate_file", file(certificate)).with("private_key_file", file(key))
    }

    /// Says what each file needs: keys for sessions and for claims.
    pub(crate) fn add_keys(&mut self) {
        let mut has_login = false;
        for chain in self.chains() {
            has_login |= matches!(chain, Chain::Open { login: Some(_), .. });
        }
        let is_sticky = self.target_groups.iter().any(|(_, group)| group.get("stickiness").is_some())
            || self
                .chains()
                .any(|chain| matches!(chain, Chain::Open { terminal, .. } if terminal.get("stickiness").is_some()));
        if has_login || is_sticky {
            self.session.set("key_files", Yaml::List(vec![Yaml::File("keys/session".to_owned())]));
            self.needs("keys/session", made("session", "keys/session"));
        } else {
            self.session = Map::default();
        }
        if has_login || self.claims.get("headers").is_some() {
            self.claims.set("signer", "arn:vestibule:imported");
            self.claims.set("signing_key_file", Yaml::File("keys/claims".to_owned()));
            self.needs("keys/claims", made("signing", "keys/claims"));
        } else {
            self.claims = Map::default();
        }
    }

    /// Applications read the claims as the load balancer of AWS writes them (ALB §4.2).
    pub(crate) fn claims_of_the_load_balancer(&mut self) {
        self.claims.set("format", "alb");
        self.claims
            .comment("format", "As the load balancer wrote x-amzn-oidc-data. For new applications, leave it out.");
    }

    /// The actions of all rules.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.listeners
            .iter()
            .flat_map(|listener| listener.rules.iter().map(|rule| &rule.chain).chain([&listener.default]))
    }

    /// What answers 503: listener and rule, and why.
    pub(crate) fn closed(&self) -> Vec<String> {
        let mut closed = Vec::new();
        for listener in &self.listeners {
            let rules = listener.rules.iter().map(|rule| (rule.name.as_str(), &rule.chain, rule.conditions.as_slice()));
            for (name, chain, conditions) in rules.chain([("default_actions", &listener.default, &[][..])]) {
                let Chain::Closed(why) = chain else { continue };
                let and_more =
                    match conditions.iter().all(|condition| *condition == everything()) && !conditions.is_empty() {
                        true => ". It takes every request, so nothing after it is reached",
                        false => "",
                    };
                closed.push(format!("{} {name}: {why}{and_more}", listener.name));
            }
        }
        closed
    }

    /// The document. Providers and target groups that no rule uses any more are in it, too.
    pub(crate) fn document(&self) -> Map {
        let cookies = self.cookies();
        let mut document = Map::default();
        let listeners: Vec<Map> = self.listeners.iter().map(|listener| listener.document(&cookies)).collect();
        document.set("listeners", listeners);
        let section = |entries: &[(String, Map)]| {
            entries.iter().fold(Map::default(), |section, (name, settings)| section.with(name, settings.clone()))
        };
        for (key, value) in [
            ("identity_providers", section(&self.providers)),
            ("target_groups", section(&self.target_groups)),
            ("trust_stores", section(&self.trust_stores)),
            ("session", self.session.clone()),
            ("claims", self.claims.clone()),
        ] {
            if !value.is_empty() {
                document.set(key, value);
            }
        }
        document.extend(&self.rest);
        document
    }

    /// The name of the session cookie for each list of providers and each name in the input. Actions share one only if they have the same
    /// first provider (ALB §1.3.6, decision 84).
    fn cookies(&self) -> Cookies {
        let mut cookies = BTreeMap::new();
        let mut taken: Vec<Option<String>> = Vec::new();
        for chain in self.chains() {
            let Chain::Open { login: Some(login), .. } = chain else { continue };
            let key = login.cookie_key();
            cookies.entry(key).or_insert_with(|| {
                let wanted = login.cookie.clone();
                let name = if taken.contains(&wanted) {
                    Some(format!("{}-{}", wanted.as_deref().unwrap_or("__Host-vestibule"), login.provider))
                } else {
                    wanted
                };
                taken.push(name.clone());
                name
            });
        }
        cookies
    }
}

/// The providers of a sign-in, and the name of its session cookie in the input.
type CookieKey = (Vec<String>, Option<String>);
type Cookies = BTreeMap<CookieKey, Option<String>>;

impl Listener {
    fn document(&self, cookies: &Cookies) -> Map {
        let mut map = Map::default().with("name", self.name.as_str());
        map.extend(&self.settings);
        if !self.rules.is_empty() {
            let mut rules: Vec<&Rule> = self.rules.iter().collect();
            rules.sort_by_key(|rule| rule.priority);
            map.set("rules", rules.into_iter().map(|rule| rule.document(cookies)).collect::<Vec<_>>());
        }
        map.set("default_actions", self.default.document(cookies));
        if let Chain::Closed(why) = &self.default {
            map.comment("default_actions", not_carried_over(why));
        }
        map
    }
}

impl Rule {
    fn document(&self, cookies: &Cookies) -> Map {
        let mut map = Map::default().with("name", self.name.as_str()).with("priority", self.priority);
        // They are about what a target gets.
        if !self.chain.is_closed() {
            map.extend(&self.settings);
        }
        map.set("conditions", self.conditions.clone());
        map.set("actions", self.chain.document(cookies));
        if let Chain::Closed(why) = &self.chain {
            map.comment("name", not_carried_over(why));
        }
        map
    }
}

impl Chain {
    fn document(&self, cookies: &Cookies) -> Vec<Map> {
        match self {
            Self::Closed(_) => vec![
                Map::default()
                    .with("type", "fixed-response")
                    .with("status_code", CLOSED_STATUS)
                    .with("content_type", "text/plain")
                    .with("body", "This part of the site has not been set up yet."),
            ],
            Self::Open { login, gates, terminal } => {
                let login = login.iter().map(|login| login.document(cookies));
                login.chain(gates.iter().cloned()).chain([terminal.clone()]).collect()
            }
        }
    }
}

impl Login {
    fn providers(&self) -> Vec<String> {
        std::iter::once(&self.provider).chain(&self.others).cloned().collect()
    }

    fn cookie_key(&self) -> CookieKey {
        (self.providers(), self.cookie.clone())
    }

    fn document(&self, cookies: &Cookies) -> Map {
        let kind = if self.bearer.is_some() { "session-or-bearer" } else { "authenticate-oidc" };
        let mut map = Map::default().with("type", kind);
        if self.others.is_empty() {
            map.set("provider", self.provider.as_str());
        } else {
            map.set("providers", &self.providers()[..]);
        }
        if let Some(bearer) = &self.bearer {
            map.set("bearer", bearer.clone());
        }
        map.extend(&self.settings);
        if let Some(Some(name)) = cookies.get(&self.cookie_key()) {
            map.set("session_cookie_name", name.as_str());
        }
        map
    }
}

fn not_carried_over(why: &str) -> String {
    format!("NOT CARRIED OVER, answers {CLOSED_STATUS}: {why}")
}

fn made(kind: &str, file: &str) -> Need {
    Need::Made { command: format!("vestibule keys {kind} --out {file}") }
}

/// A name of ours that is like a name of another system: letters, digits, `-`, `_` and `.`, at most 64 characters.
pub(crate) fn name_like(text: &str) -> String {
    let plain = text.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.') => letter,
        _ => '-',
    });
    let plain: String = plain.take(NAME_LENGTH_MAX).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "unnamed".to_owned() } else { plain.to_owned() }
}

/// A name like the wanted one that is not taken.
pub(crate) fn free_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let name = name_like(wanted);
    let short: String = name.chars().take(NAME_LENGTH_MAX - 6).collect();
    let numbered = (2_u32..).map(|number| format!("{short}-{number}"));
    std::iter::once(name).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// A condition that every request meets.
pub(crate) fn everything() -> Map {
    Map::default().with("source_ip", &["0.0.0.0/0".to_owned(), "::/0".to_owned()][..])
}

#[cfg(test)]
mod tests;
