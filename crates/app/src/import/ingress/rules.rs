//! Rules of an Ingress, in the order of the controller: for each host the paths of type Exact, then Prefix from the longest on, then the others.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::json;

use crate::import::draft::{Chain, Draft, Rule, everything, name_like};
use crate::import::elbv2::actions::{self, Context};
use crate::import::elbv2::attributes::Common;
use crate::import::elbv2::{conditions, jwt, transforms};
use crate::import::ingress::objects::{Objects, annotation, text};
use crate::import::ingress::port::Port;
use crate::import::ingress::{login, target_groups};
use crate::import::ledger::{At, Ledger, flag, number};
use crate::import::yaml::Map;

/// What a backend without sign-in would be over plain HTTP.
const PLAIN: &str =
    "the Service needs a sign-in or a token, which the controller leaves out over plain HTTP: use ssl-redirect";

pub(super) fn add(
    ingress: &At<'_>,
    objects: &Objects<'_>,
    common: &Common,
    listeners: &mut BTreeMap<u64, Port>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) {
    let metadata = ingress.get("metadata");
    let of =
        |key: &str, default: &'static str| metadata.as_ref().and_then(|at| at.text(key)).unwrap_or(default).to_owned();
    let (namespace, name) = (of("namespace", "default"), of("name", "unnamed"));
    let mut reader = Reader { ingress, objects, common, namespace, draft, ledger };
    let Some(spec) = ingress.get("spec") else { return };
    let paths = reader.paths(&spec);
    for port in listeners.values_mut().filter(|port| port.ingresses.contains(&ingress.path)) {
        if port.redirects {
            continue;
        }
        for (index, (host, path)) in paths.iter().enumerate() {
            let priority = port.listener.rules.len() as u64 + 1;
            let mut rule = reader.rule(host.as_ref(), path, port.is_https);
            (rule.name, rule.priority) = (name_like(&format!("{name}-{}", index + 1)), priority);
            if port.listener.rules.iter().any(|other| other.name == rule.name) {
                rule.name = name_like(&format!("{}-{name}-{}", reader.namespace, index + 1));
            }
            port.listener.rules.push(rule);
        }
        if let Some(backend) = spec.get("defaultBackend") {
            let mut more = More::default();
            port.listener.default = reader.backend(&backend, port.is_https, &mut more);
            if !more.settings.is_empty() {
                port.listener.default.close("default actions have no transforms");
            }
            port.listener.source = ingress.path.clone();
        }
    }
    for (key, at) in spec.entries() {
        if key == "tls" {
            reader.ledger.changed(&at.path, "certificates of the https listeners");
        }
    }
}

/// What annotations add to a rule.
#[derive(Default)]
struct More {
    conditions: Vec<Map>,
    settings: Map,
}

struct Reader<'r, 'v> {
    ingress: &'r At<'v>,
    objects: &'r Objects<'v>,
    common: &'r Common,
    namespace: String,
    draft: &'r mut Draft,
    ledger: &'r mut Ledger,
}

impl<'v> Reader<'_, 'v> {
    /// Host and path of each rule.
    fn paths(&mut self, spec: &At<'v>) -> Vec<(Option<At<'v>>, At<'v>)> {
        let mut all = Vec::new();
        for rule in spec.list("rules") {
            let host = rule.get("host");
            let mut paths = rule.get("http").map(|http| http.list("paths")).unwrap_or_default();
            paths.sort_by_key(|path| match path.text("pathType") {
                Some("Exact") => (0, Reverse(0)),
                Some("Prefix") => (1, Reverse(path.text("path").unwrap_or_default().len())),
                _ => (2, Reverse(0)),
            });
            all.extend(paths.into_iter().map(|path| (host.clone(), path)));
        }
        all
    }

    fn rule(&mut self, host: Option<&At<'v>>, path: &At<'v>, is_https: bool) -> Rule {
        let (mut conditions, mut missing) = (Vec::new(), None);
        if let Some(host) = host {
            let text = text(host.value);
            if !text.is_empty() {
                conditions.push(Map::default().with("host_header", &[text][..]));
            }
            self.ledger.kept(&host.path, "conditions");
        }
        match self.path_condition(path) {
            Ok(condition) => conditions.extend(condition),
            Err(why) => missing = Some(why),
        }
        let mut more = More::default();
        let mut chain = match path.get("backend") {
            Some(backend) => self.backend(&backend, is_https, &mut more),
            None => Chain::Closed("the path has no backend".to_owned()),
        };
        // Two conditions of one kind must both match, which Vestibule has for headers and queries only: `check` closes those rules.
        conditions.extend(more.conditions);
        if let Some(why) = missing {
            chain.close(&why);
        }
        if conditions.is_empty() {
            conditions.push(everything());
        }
        let source = path.path.clone();
        // Over HTTPS, the same rule is another one, and perhaps open.
        if let Chain::Closed(why) = &chain
            && why != PLAIN
        {
            self.ledger.revoke(&source, &format!("the rule answers 503: {why}"));
        }
        Rule { name: String::new(), priority: 0, conditions, chain, settings: more.settings, source }
    }

    fn path_condition(&mut self, at: &At<'v>) -> Result<Option<Map>, String> {
        for key in ["path", "pathType"] {
            at.get(key).into_iter().for_each(|at| self.ledger.kept(&at.path, "path_pattern"));
        }
        if let Some(regex) = annotation(self.ingress, "use-regex-path-match") {
            self.ledger.kept(&regex.path, "conditions");
        }
        let path = at.text("path").unwrap_or("/");
        let has_wildcard = path.contains(['*', '?']);
        let patterns = match at.text("pathType") {
            Some("Exact") if !has_wildcard => vec![path.to_owned()],
            Some("Prefix") if !has_wildcard => match path.trim_end_matches('/') {
                "" => return Ok(None),
                path => vec![path.to_owned(), format!("{path}/*")],
            },
            Some("Exact" | "Prefix") => return Err("a path of type Exact or Prefix has a wildcard".to_owned()),
            _ if annotation(self.ingress, "use-regex-path-match").is_some_and(|at| flag(at.value) == Some(true)) => {
                let expression = path.strip_prefix('/').unwrap_or(path);
                let list = json!([expression]);
                conditions::check_regexes("path_pattern", &At { path: at.path.clone(), value: &list })?;
                let values = Map::default().with("regex_values", &[expression.to_owned()][..]);
                return Ok(Some(Map::default().with("path_pattern", values)));
            }
            _ if path == "/*" => return Ok(None),
            _ => vec![path.to_owned()],
        };
        Ok(Some(Map::default().with("path_pattern", &patterns[..])))
    }

    /// The actions for a backend, and what annotations add.
    fn backend(&mut self, backend: &At<'v>, is_https: bool, more: &mut More) -> Chain {
        match self.open_backend(backend, is_https, more) {
            Ok(chain) => chain,
            Err(why) => Chain::Closed(why),
        }
    }

    fn open_backend(&mut self, backend: &At<'v>, is_https: bool, more: &mut More) -> Result<Chain, String> {
        let service = backend.get("service").ok_or("the backend is no Service")?;
        let name = service.text("name").ok_or("the backend has no name")?;
        let port = service.get("port").ok_or("the backend has no port")?;
        self.ledger.kept(&service.path, "actions");
        let known = self.objects.services.get(&(self.namespace.clone(), name.to_owned()));
        let ingress = self.ingress;
        let sources: Vec<&At<'v>> = known.into_iter().chain([ingress]).collect();
        let mut missing = None;
        if let Some(at) = annotation(ingress, &format!("conditions.{name}")) {
            let (conditions, why) = conditions::all(&at.items(), self.ledger);
            more.conditions.extend(conditions);
            missing = missing.or(why);
        }
        let jwt = match sources.iter().find_map(|source| annotation(source, "jwt-validation")) {
            Some(at) => Some(jwt::gate(&at, self.ledger).inspect_err(|why| self.ledger.dropped(&at.path, why))?),
            None => None,
        };
        let login = login::login(&sources, &self.namespace, self.objects, self.draft, self.ledger)?;
        if (login.is_some() || jwt.is_some()) && !is_https {
            missing = missing.or(Some(PLAIN.to_owned()));
        }
        if login.is_some() && jwt.is_some() {
            missing = missing.or(Some("the Service has both auth-type and jwt-validation".to_owned()));
        }
        let mut chain = if port.text("name") == Some("use-annotation") {
            self.annotated(name, &sources)?
        } else {
            let port = self.port(known, &port)?;
            let group =
                target_groups::group(&sources, (&self.namespace, name), port, self.common, self.draft, self.ledger);
            Chain::terminal(forward(&group, self.common))
        };
        if let Chain::Open { login: gate, gates, .. } = &mut chain {
            *gate = login;
            gates.extend(jwt);
        }
        if let Some(why) = missing {
            chain.close(&why);
        }
        if let Some(at) = annotation(ingress, &format!("transforms.{name}"))
            && let Some(made) = transforms::all(&at, &mut chain, self.ledger)
        {
            more.settings.set(transforms::KEY, made);
        }
        Ok(chain)
    }

    /// `actions.NAME`.
    fn annotated(&mut self, name: &str, sources: &[&At<'v>]) -> Result<Chain, String> {
        let at = annotation(self.ingress, &format!("actions.{name}"));
        let at = at.ok_or_else(|| format!("there is no annotation actions.{name}"))?;
        let mut groups = BTreeMap::new();
        let config = at.get("forwardConfig").map(|config| config.list("targetGroups")).unwrap_or_default();
        for entry in &config {
            let Some(service) = entry.text("serviceName") else { continue };
            let known = self.objects.services.get(&(self.namespace.clone(), service.to_owned()));
            let wanted = entry.get("servicePort").ok_or("a target group has no servicePort")?;
            let port = self.named_port(known, &text(wanted.value))?;
            let own: Vec<&At<'v>> = known.into_iter().chain(sources.last().copied()).collect();
            let group =
                target_groups::group(&own, (&self.namespace, service), port, self.common, self.draft, self.ledger);
            groups.insert(entry.path.clone(), group);
        }
        let target_group = |at: &At<'_>| {
            groups
                .get(&at.path)
                .cloned()
                .ok_or_else(|| "a target group is named by its ARN: its targets are not known here".to_owned())
        };
        let preserve_host_header = self.common.preserve_host_header;
        let mut context =
            Context { draft: self.draft, ledger: self.ledger, preserve_host_header, target_group: &target_group };
        Ok(actions::chain(&[at], &mut context))
    }

    fn port(&self, service: Option<&At<'v>>, port: &At<'v>) -> Result<u64, String> {
        match (port.number("number"), port.text("name")) {
            (Some(number), _) => Ok(number),
            (None, Some(name)) => self.named_port(service, name),
            (None, None) => Err("the port of the backend has neither number nor name".to_owned()),
        }
    }

    fn named_port(&self, service: Option<&At<'v>>, name: &str) -> Result<u64, String> {
        if let Ok(number) = name.parse() {
            return Ok(number);
        }
        let ports = service.and_then(|service| service.get("spec")).map(|spec| spec.list("ports")).unwrap_or_default();
        let found =
            ports.iter().find(|port| port.text("name") == Some(name)).and_then(|port| number(port.get("port")?.value));
        found.ok_or_else(|| format!("the number of the port `{name}` is not known: give the Service, too"))
    }
}

fn forward(group: &str, common: &Common) -> Map {
    let forward = Map::default().with("type", "forward").with("target_group", group);
    if common.preserve_host_header { forward.with("preserve_host_header", true) } else { forward }
}
