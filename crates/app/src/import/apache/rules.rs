//! The rules of a host: one for each set of paths, with what all sections say of it together.

use crate::import::apache::access::{Need, Tree};
use crate::import::apache::files::Site;
use crate::import::apache::forward::{self, End, Taker};
use crate::import::apache::paths::Paths;
use crate::import::apache::providers::Providers;
use crate::import::apache::scope::{Host, Place};
use crate::import::apache::tree::{Directive, Server};
use crate::import::apache::{bearer, headers, sign_in};
use crate::import::draft::{Chain, Draft};
use crate::import::ledger::Ledger;
use crate::import::yaml::Map;

/// Why a rule is closed whose paths could be those of another rule.
const OVERLAP: &str = "its paths and those of another section overlap, and Apache takes both together";
const PARAMETERS: &str = "without a sign-in, it takes `;…` behind the last segment, too, which Apache has as a part of the path (docs/MIGRATION.md)";
const PLAIN: &str = "it needs a sign-in, and the listener has no TLS: see OIDCXForwardedHeaders and trusted_proxies";
const NO_ADDRESS: &str =
    "the address of a client is that of a proxy in front, so networks cannot be carried over (see RemoteIPHeader)";

/// What the rules of a host need to know of its listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    /// Clients speak TLS with it, or with a proxy in front.
    pub(super) has_tls: bool,
    /// Whether the listener itself ends TLS.
    pub(super) is_https: bool,
    /// The address of a client is the one that Apache saw.
    pub(super) has_address: bool,
}

/// A rule before it has a place among the others.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) paths: Paths,
    /// Its requests come from these networks.
    pub(super) networks: Option<Vec<String>>,
    pub(super) chain: Chain,
    pub(super) transforms: Map,
    pub(super) source: String,
}

impl Found {
    /// A redirect of all paths.
    pub(super) fn redirect(redirect: Map) -> Self {
        Self {
            paths: Paths::Below("/".to_owned()),
            networks: None,
            chain: Chain::terminal(redirect),
            transforms: Map::default(),
            source: "the server".to_owned(),
        }
    }
}

/// A chain, for the clients of these networks or for all.
type Way = (Option<Vec<String>>, Chain);

pub(super) struct Reader<'r> {
    pub(super) draft: &'r mut Draft,
    pub(super) ledger: &'r mut Ledger,
    pub(super) providers: &'r mut Providers,
    pub(super) server: &'r Server,
}

/// What is known of a host before its rules are made.
struct Whole<'h, 't> {
    host: &'h Host<'t>,
    takers: Vec<Taker<'t>>,
    /// All sets of paths, and where they are in the input.
    cuts: Vec<(Paths, String)>,
    /// Its files, if a path is answered with them.
    site: Option<Result<Site<'t>, String>>,
    front: Front,
}

impl Reader<'_> {
    /// All rules of a host, those of fewer paths first. The last has all paths.
    pub(super) fn rules(&mut self, host: &Host<'_>, front: Front) -> Vec<Found> {
        let mut whole = Whole { host, takers: forward::takers(host), cuts: Vec::new(), site: None, front };
        for place in &host.places {
            whole.cut(&place.paths, &place.section.path);
        }
        for taker in whole.takers.clone() {
            whole.cut(&taker.paths, &taker.source);
        }
        let source = host.section.map_or_else(|| "the server".to_owned(), |section| section.path.clone());
        if !whole.cuts.iter().any(|(paths, _)| paths.is_all()) {
            whole.cuts.push((Paths::Below("/".to_owned()), source));
        }
        if host.closed.is_none() && whole.cuts.iter().any(|(paths, _)| whole.is_of_files(paths)) {
            let site = Site::of(host, self.server, self.ledger);
            for layer in site.iter().flat_map(|site| &site.layers) {
                if whole.is_of_files(&layer.paths) {
                    whole.cut(&layer.paths, &layer.section.path);
                }
            }
            whole.site = Some(site);
        }
        whole.cuts.sort_by_key(|(paths, _)| paths.order());
        let mut found = Vec::new();
        for (paths, source) in &whole.cuts {
            found.extend(self.of_paths(&whole, paths, source));
        }
        found
    }

    fn of_paths(&mut self, whole: &Whole<'_, '_>, paths: &Paths, source: &str) -> Vec<Found> {
        let found = |networks, chain, transforms| Found {
            paths: paths.clone(),
            networks,
            chain,
            transforms,
            source: source.to_owned(),
        };
        // The rules of expressions come first, and take what is in both.
        let is_expression = matches!(paths, Paths::Expression { .. });
        let is_clear = !is_expression || whole.cuts.iter().all(|(other, _)| paths.is_clear_of(other));
        let closed = whole.host.closed.clone().or_else(|| (!is_clear).then(|| OVERLAP.to_owned()));
        let result = match closed {
            Some(why) => Err(why),
            None => self.ends(whole, paths),
        };
        match result {
            Ok((ends, transforms)) => {
                let is_open = |(_, chain): &Way| match chain {
                    Chain::Open { login: None, gates, terminal } => gates.is_empty() && answers_with_content(terminal),
                    _ => false,
                };
                if paths.takes_parameters() && ends.iter().any(is_open) {
                    self.ledger.differs(source, PARAMETERS);
                }
                ends.into_iter().map(|(networks, chain)| found(networks, chain, transforms.clone())).collect()
            }
            Err(why) => {
                self.ledger.revoke(source, &format!("the rule answers 503: {why}"));
                vec![found(None, Chain::Closed(why), Map::default())]
            }
        }
    }

    /// The chains of a set of paths, each for the clients of its networks, and the transforms.
    fn ends(&mut self, whole: &Whole<'_, '_>, paths: &Paths) -> Result<(Vec<Way>, Map), String> {
        let (host, places) = (whole.host, whole.places(paths));
        if let Some(why) = places.iter().find_map(|place| place.closed.clone()) {
            return Err(why);
        }
        let of_places = places.iter().filter_map(|place| place.last("proxypass")).filter(|pass| pass.word(0) == "!");
        for directive in whole.excluded(paths).into_iter().chain(of_places) {
            self.ledger.kept(&directive.path, "no target");
        }
        let (terminal, transforms, layers) = match whole.end(paths) {
            None => {
                let (terminal, layers) = self.files(whole, paths, &places)?;
                (terminal, Map::default(), layers)
            }
            Some((End::Unknown(why), _)) => return Err(why),
            Some((End::Proxy { directive, from, to }, _)) => {
                let keeps_host = self.keeps_host(host, &places);
                let (terminal, transforms) =
                    forward::proxy_terminal(host, directive, (&from, &to), keeps_host, self.draft, self.ledger)?;
                (terminal, transforms, proxies(host)?)
            }
            Some((End::Redirect { directive, from, status, to }, is_of_place)) => {
                let terminal = forward::redirect_terminal(directive, paths, (&from, &status, &to), self.ledger)?;
                // Apache redirects before it asks for a user.
                if !is_of_place {
                    return Ok((vec![(None, Chain::terminal(terminal))], Map::default()));
                }
                (terminal, Map::default(), proxies(host)?)
            }
        };
        let layers: Vec<&Place<'_>> = layers.into_iter().chain(places).collect();
        let front = whole.front;
        let tree = access(&layers, host, front)?;
        let networks = tree.networks()?.map(<[String]>::to_vec);
        if networks.is_some() && !front.has_address {
            return Err(NO_ADDRESS.to_owned());
        }
        let mut chains = Vec::new();
        if let Some(networks) = networks {
            let chain = self.chain(host, &layers, &tree, tree.need(true)?, &terminal, front)?;
            chains.push((Some(networks), chain));
        }
        chains.push((None, self.chain(host, &layers, &tree, tree.need(false)?, &terminal, front)?));
        let is_forward = terminal.get("target_group").is_some();
        Ok((chains, if is_forward { transforms } else { Map::default() }))
    }

    /// Whether targets get the `Host` of the client.
    fn keeps_host(&mut self, host: &Host<'_>, places: &[&Place<'_>]) -> bool {
        let directive = sign_in::nearest(host, places, "proxypreservehost");
        let keeps_host = directive.is_some_and(|directive| directive.word(0).eq_ignore_ascii_case("on"));
        if let Some(directive) = directive {
            let what = if keeps_host { "preserve_host_header" } else { "host_header_rewrite, for targets with a name" };
            self.ledger.kept(&directive.path, what);
        }
        keeps_host
    }

    /// The terminal of paths that Apache answers with files, and the sections that these are in.
    fn files<'w, 't>(
        &mut self,
        whole: &'w Whole<'_, 't>,
        paths: &Paths,
        places: &[&Place<'t>],
    ) -> Result<(Map, Vec<&'w Place<'t>>), String> {
        let failed = |why: String| format!("Apache answered with files: {why}");
        let site = match &whole.site {
            Some(Ok(site)) => site,
            Some(Err(why)) => return Err(failed(why.clone())),
            None => return Err(failed("they are not known".to_owned())),
        };
        let layers: Vec<&Place<'t>> = site.layers.iter().filter(|layer| layer.paths.covers(paths)).collect();
        if let Some(why) = layers.iter().find_map(|layer| layer.closed.clone()) {
            return Err(failed(why));
        }
        let all: Vec<&Place<'t>> = layers.iter().chain(places).copied().collect();
        let others = whole.cuts.iter().map(|(cut, _)| cut).filter(|cut| *cut != paths && !paths.is_apart_from(cut));
        let terminal = site.terminal(&all, whole.host, others, self.draft, self.ledger).map_err(failed)?;
        Ok((terminal, layers))
    }

    fn chain(
        &mut self,
        host: &Host<'_>,
        layers: &[&Place<'_>],
        tree: &Tree,
        need: Need,
        terminal: &Map,
        front: Front,
    ) -> Result<Chain, String> {
        let requirements = match need {
            Need::Nothing => return Ok(Chain::terminal(terminal.clone())),
            Need::Never => {
                let denied = Map::default().with("type", "fixed-response").with("status_code", 403);
                return Ok(Chain::terminal(denied));
            }
            Need::User(requirements) => requirements,
        };
        if !front.has_tls {
            return Err(PLAIN.to_owned());
        }
        let claims = tree.claims();
        are_known(host, &claims)?;
        let directive = sign_in::nearest(host, layers, "authtype");
        let kind = directive.map_or("none", |directive| directive.word(0));
        let ways = bearer::ways(kind, host).ok_or_else(|| format!("Vestibule has no AuthType `{kind}`"))?;
        let token = match ways.tokens {
            true => Some(bearer::bearer(host, self.providers, self.draft, self.ledger)?),
            false => None,
        };
        let mut gates = Vec::new();
        let login = if ways.sessions {
            let chosen = self.providers.of(host, self.draft, self.ledger)?;
            let mut login = sign_in::login(host, layers, chosen, !requirements.is_empty(), self.ledger)?;
            login.bearer = token;
            Some(login)
        } else {
            let mut gate = Map::default().with("type", "jwt-validation");
            gate.extend(&token.unwrap_or_default());
            gates.push(gate);
            None
        };
        if let Some(directive) = directive {
            self.ledger.kept(&directive.path, "authenticate-oidc, session-or-bearer or jwt-validation");
        }
        let unlisted = headers::claims(host, layers, ways, &claims, self.draft, self.ledger)?;
        if let Some(directive) = directive {
            self.ledger.differs(&directive.path, &unlisted);
        }
        gates.extend(requirements.into_iter().map(authorize));
        Ok(Chain::Open { login, gates, terminal: terminal.clone() })
    }
}

impl<'h, 't> Whole<'h, 't> {
    fn cut(&mut self, paths: &Paths, source: &str) {
        if !self.cuts.iter().any(|(known, _)| known == paths) {
            self.cuts.push((paths.clone(), source.to_owned()));
        }
    }

    /// The sections about paths that these paths are in.
    fn places(&self, paths: &Paths) -> Vec<&'h Place<'t>> {
        self.host.places.iter().filter(|place| place.paths.covers(paths)).collect()
    }

    /// What answers these paths, and whether a section of theirs says so. `None` for files.
    fn end(&self, paths: &Paths) -> Option<(End<'t>, bool)> {
        let of_place =
            self.places(paths).iter().rev().find_map(|place| forward::of_place(place).map(|end| (end, true)));
        let end = of_place.or_else(|| {
            let excluded = !self.excluded(paths).is_empty();
            let mut takers = self.takers.iter().filter(|taker| taker.paths.covers(paths));
            let taker = takers.find(|taker| !excluded || !matches!(taker.end, End::Proxy { .. }))?;
            Some((taker.end.clone(), false))
        });
        end.filter(|(end, _)| !is_excluded(end))
    }

    /// The `ProxyPass` with `!`, which is no target and leaves the rest of the directives, if it comes before those with a target.
    fn excluded(&self, paths: &Paths) -> Vec<&'t Directive> {
        let mut takers = self.takers.iter().filter(|taker| taker.paths.covers(paths));
        match takers.find(|taker| matches!(taker.end, End::Proxy { .. })).map(|taker| &taker.end) {
            Some(end @ End::Proxy { directive, .. }) if is_excluded(end) => vec![*directive],
            _ => Vec::new(),
        }
    }

    fn is_of_files(&self, paths: &Paths) -> bool {
        self.end(paths).is_none()
    }
}

/// Whether a target or a directory answers.
fn answers_with_content(terminal: &Map) -> bool {
    terminal.get("target_group").or(terminal.get("directory")).is_some()
}

fn is_excluded(end: &End<'_>) -> bool {
    matches!(end, End::Proxy { to, .. } if to == "!")
}

/// `authorize` has one of `any`, `all` and `not`.
fn authorize(requirement: Map) -> Map {
    let mut gate = Map::default().with("type", "authorize");
    if requirement.get("claim").is_some() {
        gate.set("any", vec![requirement]);
    } else {
        gate.extend(&requirement);
    }
    gate
}

/// The `<Proxy>` sections of all targets. An error if another restricts who comes in.
fn proxies<'h, 't>(host: &'h Host<'t>) -> Result<Vec<&'h Place<'t>>, String> {
    let mut of_all = Vec::new();
    for place in &host.proxies {
        if let Some(why) = &place.closed {
            return Err(why.clone());
        }
        let is_open = matches!(place.require, None | Some(Tree::Granted)) && place.last("authtype").is_none();
        match place.section.word(0) {
            "*" => of_all.push(place),
            _ if is_open => {}
            _ => return Err(format!("{}: it restricts who comes in to some targets", place.section.path)),
        }
    }
    Ok(of_all)
}

/// What is asked of clients: the last `Require` counts, as without `AuthMerging`.
fn access(layers: &[&Place<'_>], host: &Host<'_>, front: Front) -> Result<Tree, String> {
    for place in layers {
        if place.last("authmerging").is_some_and(|directive| !directive.word(0).eq_ignore_ascii_case("off")) {
            return Err(format!("{}: AuthMerging is not carried over", place.section.path));
        }
        if place.last("sslverifyclient").is_some_and(|directive| !directive.word(0).eq_ignore_ascii_case("none")) {
            return Err("client certificates of a path are not carried over: see mutual_authentication".to_owned());
        }
        if place.last("sslrequiressl").is_some() && !front.is_https {
            return Err("SSLRequireSSL on a listener without TLS".to_owned());
        }
    }
    let tree = layers.iter().rev().find_map(|place| place.require.clone());
    let kind = sign_in::nearest(host, layers, "authtype").map(|directive| directive.word(0));
    match (tree, kind.filter(|kind| !kind.eq_ignore_ascii_case("none"))) {
        (Some(tree), kind) => {
            let ways = kind.and_then(|kind| bearer::ways(kind, host)).unwrap_or_default();
            Ok(tree.with_user_claim(headers::user_claim(host, ways)))
        }
        (None, None) => Ok(Tree::Granted),
        (None, Some(kind)) => Err(format!("AuthType {kind} without a Require lets everybody in: write what is meant")),
    }
}

/// An error if Apache does not know one of these claims, so that it lets nobody in.
fn are_known(host: &Host<'_>, claims: &[String]) -> Result<(), String> {
    let listed = |name: &str| host.last(name).map(|directive| &directive.words);
    for claim in claims {
        let is = |known: &String| known == claim || claim.starts_with(&format!("{known}."));
        if listed("oidcblacklistedclaims").is_some_and(|list| list.iter().any(is))
            || listed("oidcwhitelistedclaims").is_some_and(|list| !list.iter().any(is))
        {
            return Err(format!("the claim {claim} is not kept by Apache, so nobody has it"));
        }
    }
    Ok(())
}
