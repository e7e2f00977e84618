//! `Require`: who may come in (Apache `mod_authz_core`, and the provider `claim` of mod_auth_openidc).

use std::net::IpAddr;

use crate::import::apache::tree::{Directive, Node};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

/// A condition of `Require`, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Granted,
    Denied,
    ValidUser,
    /// A requirement of `authorize`.
    Claim(Map),
    /// Names of `Require user`, until it is known which claim they are about.
    User(Vec<String>),
    Networks(Vec<String>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    /// It cannot be carried over.
    Unknown(String),
}

/// What a request must have, where it is known whether its address is in the networks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Need {
    Nothing,
    /// Nothing helps.
    Never,
    /// Somebody who has signed in, with requirements of `authorize`, which must all hold.
    User(Vec<Map>),
}

/// Sections that combine conditions.
pub(super) fn is_block(name: &str) -> bool {
    matches!(name, "requireall" | "requireany" | "requirenone")
}

/// The condition of one section. `None` if it has none.
pub(super) fn tree(nodes: &[Node], ledger: &mut Ledger) -> Option<Tree> {
    let mut trees = parts(nodes, false, ledger);
    // Several are alternatives.
    if trees.len() > 1 { Some(Tree::Any(trees)) } else { trees.pop() }
}

fn parts(nodes: &[Node], is_below_not: bool, ledger: &mut Ledger) -> Vec<Tree> {
    let mut part = |node: &Node| match node {
        Node::Directive(directive) if directive.name == "require" => {
            ledger.kept(&directive.path, "authorize and conditions of the rule");
            Some(require(directive, is_below_not))
        }
        Node::Section(directive, nodes) if is_block(&directive.name) => {
            ledger.kept_itself(&directive.path, "authorize");
            let is_none = directive.name == "requirenone";
            let parts = parts(nodes, is_below_not != is_none, ledger);
            let known = |name: &str| name == "require" || is_block(name);
            let other = nodes.iter().find(|node| !known(&node.directive().name));
            Some(match (other, directive.name.as_str()) {
                (Some(other), _) => Tree::Unknown(format!("{} is in no condition", other.directive().path)),
                (None, _) if parts.is_empty() => Tree::Unknown(format!("{} is empty", directive.path)),
                (None, "requireall") => Tree::All(parts),
                (None, "requireany") => Tree::Any(parts),
                (None, _) => Tree::Not(Box::new(Tree::Any(parts))),
            })
        }
        _ => None,
    };
    nodes.iter().filter_map(&mut part).collect()
}

fn require(directive: &Directive, is_below_not: bool) -> Tree {
    if let Some(problem) = &directive.problem {
        return Tree::Unknown(problem.clone());
    }
    let words = &directive.words[..];
    match words {
        [not, rest @ ..] if not.eq_ignore_ascii_case("not") => {
            let inner = condition(rest, !is_below_not).unwrap_or_else(Tree::Unknown);
            Tree::Not(Box::new(inner))
        }
        _ => condition(words, is_below_not).unwrap_or_else(Tree::Unknown),
    }
}

fn condition(words: &[String], is_below_not: bool) -> Result<Tree, String> {
    let [kind, values @ ..] = words else { return Err("a Require says nothing".to_owned()) };
    match (kind.to_ascii_lowercase().as_str(), values) {
        ("all", [word]) if word.eq_ignore_ascii_case("granted") => Ok(Tree::Granted),
        ("all", [word]) if word.eq_ignore_ascii_case("denied") => Ok(Tree::Denied),
        ("valid-user", []) => Ok(Tree::ValidUser),
        ("user", [_, ..]) => Ok(Tree::User(values.to_vec())),
        ("claim", [_, ..]) => {
            let claims = values.iter().map(|value| claim(value, is_below_not).map(Tree::Claim));
            Ok(Tree::Any(claims.collect::<Result<_, _>>()?))
        }
        ("ip", [_, ..]) => {
            let networks = values.iter().map(|value| network(value).ok_or_else(|| format!("`{value}` is no network")));
            Ok(Tree::Networks(networks.collect::<Result<_, _>>()?))
        }
        // Apache also takes a client with the address of the server itself, which would be let in where this is denied.
        ("local", []) if !is_below_not => Ok(Tree::Networks(vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()])),
        (other, _) => Err(format!("Vestibule has no `Require {other}` of this kind")),
    }
}

/// `name:value` and `name~expression`, also of a member: `realm_access.roles:admin`.
fn claim(text: &str, is_below_not: bool) -> Result<Map, String> {
    // A name can be an address, which has a colon of its own.
    let begin = ["https://", "http://"].iter().find(|begin| text.starts_with(*begin)).map_or(0, |begin| begin.len());
    let at = text[begin..].find([':', '~']).map(|at| begin + at).ok_or("a claim of Require has neither `:` nor `~`")?;
    let (name, value) = (&text[..at], &text[at + 1..]);
    if name.is_empty() || value.is_empty() {
        return Err("a claim of Require has no name or no value".to_owned());
    }
    let path = if begin > 0 { Yaml::List(vec![Yaml::from(name)]) } else { Yaml::from(name) };
    let claim = Map::default().with("claim", path);
    if text.as_bytes()[at] == b':' {
        return Ok(claim.with("contains", Yaml::List(typed(value))));
    }
    if let Some(values) = alternatives(value) {
        return Ok(claim.with("contains", Yaml::List(values.iter().flat_map(|value| typed(value)).collect())));
    }
    // Fewer addresses than the expression takes. Denied, these would be more users.
    match domain(value).filter(|_| name == "email" && !is_below_not) {
        Some(domain) => Ok(claim.with("domain", &[domain][..])),
        None => Err(format!("authorize has no regular expressions, as in `Require claim {name}~…`")),
    }
}

/// A value as a text, and as the number or truth value that it is the text of.
fn typed(value: &str) -> Vec<Yaml> {
    let mut values = vec![Yaml::from(value)];
    match value {
        "true" | "false" => values.push(Yaml::from(value == "true")),
        _ => values.extend(value.parse::<u64>().ok().filter(|number| number.to_string() == value).map(Yaml::from)),
    }
    values
}

/// `^a$` and `^(a|b)$`: texts that are compared as a whole.
fn alternatives(expression: &str) -> Option<Vec<String>> {
    let inside = expression.strip_prefix('^')?.strip_suffix('$')?;
    let inside = inside.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')).unwrap_or(inside);
    inside
        .split('|')
        .map(literal)
        .collect::<Option<Vec<_>>>()
        .filter(|_| !inside.contains('|') || expression.starts_with("^("))
}

/// The text that a regular expression without operators stands for.
pub(super) fn literal(expression: &str) -> Option<String> {
    let (mut text, mut letters) = (String::new(), expression.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.push(letters.next().filter(char::is_ascii_punctuation)?),
            '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' => return None,
            _ => text.push(letter),
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The domain of an expression for addresses of one domain: `@example\.com$`, `^.+@example\.com$`.
fn domain(expression: &str) -> Option<String> {
    let (before, domain) = expression.strip_suffix('$')?.split_once('@')?;
    let is_any = matches!(before, "" | "^.*" | "^.+" | ".*" | ".+" | "^[^@]+" | "^[^@]*" | "^(.*)" | "^(.+)");
    let domain = domain.replace("\\.", ".");
    let is_plain = domain.split('.').count() > 1
        && domain
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    (is_any && is_plain).then_some(domain)
}

/// `10.1`, `10.1.0.0/16`, `10.1.0.0/255.255.0.0`, `192.0.2.1`, `2001:db8::/32`.
pub(super) fn network(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let parts: Vec<&str> = address.trim_end_matches('.').split('.').collect();
    if length.is_none() && (1..4).contains(&parts.len()) && !address.contains(':') {
        let numbers: Vec<u8> = parts.iter().map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let part = |index: usize| numbers.get(index).copied().unwrap_or_default();
        return Some(format!("{}.{}.{}.{}/{}", part(0), part(1), part(2), part(3), 8 * numbers.len()));
    }
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => longest,
        Some(mask) if mask.contains('.') => {
            let IpAddr::V4(mask) = mask.parse().ok()? else { return None };
            let ones = mask.to_bits().leading_ones();
            (mask.to_bits().count_ones() == ones).then_some(ones)?
        }
        Some(length) => length.parse().ok().filter(|length| *length <= longest)?,
    };
    Some(format!("{address}/{length}"))
}

impl Tree {
    /// The networks that it is about. An error if there are several lists: a rule has one.
    pub(super) fn networks(&self) -> Result<Option<&[String]>, String> {
        match self {
            Self::Networks(networks) => Ok(Some(networks)),
            Self::All(parts) | Self::Any(parts) => {
                let mut found: Option<&[String]> = None;
                for part in parts {
                    match (found, part.networks()?) {
                        (Some(first), Some(second)) if first != second => {
                            return Err("two different lists of networks in one condition".to_owned());
                        }
                        (_, Some(networks)) => found = Some(networks),
                        (_, None) => {}
                    }
                }
                Ok(found)
            }
            Self::Not(part) => part.networks(),
            _ => Ok(None),
        }
    }

    /// Says which claim the names of `Require user` are values of. Without one, they are not known.
    pub(super) fn with_user_claim(self, claim: Option<&str>) -> Self {
        self.of_user(claim, false)
    }

    fn of_user(self, claim: Option<&str>, is_below_not: bool) -> Self {
        let each = |parts: Vec<Self>| parts.into_iter().map(|part| part.of_user(claim, is_below_not)).collect();
        match (self, claim) {
            (Self::User(names), Some("email")) => {
                let of_email = |key: &str| Self::Claim(Map::default().with("claim", "email").with(key, &names[..]));
                // `address` is for verified addresses and ignores case, which Apache does not. Where it denies, that denies more.
                if is_below_not {
                    of_email("address")
                } else {
                    Self::All(vec![of_email("address"), of_email("contains")])
                }
            }
            (Self::User(names), Some(claim)) => {
                Self::Claim(Map::default().with("claim", claim).with("contains", &names[..]))
            }
            (Self::User(_), None) => Self::Unknown(
                "Require user compares a name that is no single claim (OIDCRemoteUserClaim, OIDCOAuthRemoteUserClaim)"
                    .to_owned(),
            ),
            (Self::All(parts), _) => Self::All(each(parts)),
            (Self::Any(parts), _) => Self::Any(each(parts)),
            (Self::Not(part), _) => Self::Not(Box::new(part.of_user(claim, !is_below_not))),
            (other, _) => other,
        }
    }

    /// The names of all claims that it asks.
    pub(super) fn claims(&self) -> Vec<String> {
        match self {
            Self::Claim(map) => match map.get("claim") {
                Some(Yaml::Text(name)) => vec![name.clone()],
                Some(Yaml::List(names)) => names
                    .iter()
                    .filter_map(|name| match name {
                        Yaml::Text(name) => Some(name.clone()),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            },
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::claims).collect(),
            Self::Not(part) => part.claims(),
            _ => Vec::new(),
        }
    }

    /// What a request must have whose address is, or is not, in the networks.
    pub(super) fn need(&self, is_in_networks: bool) -> Result<Need, String> {
        if matches!(self, Self::Not(_)) {
            return Err("Require has only conditions that deny".to_owned());
        }
        let value = self.value(is_in_networks)?.ok_or("Require has only conditions that deny")?;
        Ok(match value {
            Value::Is(true) => Need::Nothing,
            Value::Is(false) => Need::Never,
            Value::User => Need::User(Vec::new()),
            Value::Must(map) => Need::User(vec![map]),
        })
    }

    /// `None` for a condition that only denies, and denies nothing.
    fn value(&self, is_in_networks: bool) -> Result<Option<Value>, String> {
        Ok(Some(match self {
            Self::Granted => Value::Is(true),
            Self::Denied => Value::Is(false),
            Self::ValidUser => Value::User,
            Self::Claim(map) => Value::Must(map.clone()),
            Self::Networks(_) => Value::Is(is_in_networks),
            Self::User(_) => return Err("Require user compares a name that is no single claim".to_owned()),
            Self::Unknown(why) => return Err(why.clone()),
            Self::Not(part) => match part.value(is_in_networks)? {
                Some(Value::Is(true)) => Value::Is(false),
                Some(Value::Is(false)) | None => return Ok(None),
                Some(Value::User) => return Err("a condition denies everybody who has signed in".to_owned()),
                Some(Value::Must(map)) => Value::Must(Map::default().with("not", map)),
            },
            Self::All(parts) => return all(parts, is_in_networks),
            Self::Any(parts) => any(parts, is_in_networks)?,
        }))
    }
}

/// What is known of a condition.
enum Value {
    Is(bool),
    /// Anybody who has signed in.
    User,
    Must(Map),
}

fn all(parts: &[Tree], is_in_networks: bool) -> Result<Option<Value>, String> {
    let (mut musts, mut needs_user, mut grants) = (Vec::new(), false, false);
    // A condition that denies cannot let anybody in on its own.
    let mut has_positive = false;
    let mut is_denied = false;
    for part in parts {
        has_positive |= !matches!(part, Tree::Not(_));
        match part.value(is_in_networks)? {
            None => {}
            Some(Value::Is(true)) => grants = true,
            Some(Value::Is(false)) => is_denied = true,
            Some(Value::User) => needs_user = true,
            Some(Value::Must(map)) => musts.push(map),
        }
    }
    if is_denied {
        return Ok(Some(Value::Is(false)));
    }
    if !has_positive {
        return Err("Require has only conditions that deny".to_owned());
    }
    Ok(match musts.len() {
        0 if needs_user => Some(Value::User),
        0 => grants.then_some(Value::Is(true)),
        1 => musts.pop().map(Value::Must),
        _ => Some(Value::Must(Map::default().with("all", musts))),
    })
}

fn any(parts: &[Tree], is_in_networks: bool) -> Result<Value, String> {
    let (mut musts, mut is_user) = (Vec::new(), false);
    let mut is_granted = false;
    for part in parts {
        if matches!(part, Tree::Not(_)) {
            return Err("a condition that denies stands beside one that lets in".to_owned());
        }
        match part.value(is_in_networks)? {
            None => return Err("Require has only conditions that deny".to_owned()),
            Some(Value::Is(granted)) => is_granted |= granted,
            Some(Value::User) => is_user = true,
            Some(Value::Must(map)) => musts.push(map),
        }
    }
    Ok(match musts.len() {
        _ if is_granted => Value::Is(true),
        _ if is_user => Value::User,
        0 => Value::Is(false),
        1 => Value::Must(musts.remove(0)),
        _ => Value::Must(Map::default().with("any", musts)),
    })
}
