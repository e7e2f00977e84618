//! The alpha configuration of oauth2-proxy: the same options in a tree.

use serde_json::Value;

use crate::import::ledger::At;

/// Places in the alpha configuration, and the options that they are.
const PLACES: [(&str, &str); 24] = [
    ("providers[0].provider", "provider"),
    ("providers[0].clientID", "client_id"),
    ("providers[0].clientSecret", "client_secret"),
    ("providers[0].clientSecretFile", "client_secret_file"),
    ("providers[0].scope", "scope"),
    ("providers[0].loginURL", "login_url"),
    ("providers[0].redeemURL", "redeem_url"),
    ("providers[0].profileURL", "profile_url"),
    ("providers[0].allowedGroups", "allowed_groups"),
    ("providers[0].code_challenge_method", "code_challenge_method"),
    ("providers[0].oidcConfig.issuerURL", "oidc_issuer_url"),
    ("providers[0].oidcConfig.skipDiscovery", "skip_oidc_discovery"),
    ("providers[0].oidcConfig.jwksURL", "oidc_jwks_url"),
    ("providers[0].oidcConfig.emailClaim", "oidc_email_claim"),
    ("providers[0].oidcConfig.groupsClaim", "oidc_groups_claim"),
    ("providers[0].oidcConfig.userIDClaim", "user_id_claim"),
    ("providers[0].oidcConfig.insecureAllowUnverifiedEmail", "insecure_oidc_allow_unverified_email"),
    ("providers[0].oidcConfig.insecureSkipNonce", "insecure_oidc_skip_nonce"),
    ("providers[0].oidcConfig.insecureSkipIssuerVerification", "insecure_oidc_skip_issuer_verification"),
    ("server.bindAddress", "http_address"),
    ("server.secureBindAddress", "https_address"),
    ("server.tls.key.fromFile", "tls_key_file"),
    ("server.tls.cert.fromFile", "tls_cert_file"),
    ("metricsServer.bindAddress", "metrics_address"),
];

/// The scheme of an upstream whose certificate is not verified (`insecureSkipTLSVerify`).
pub(super) const UNVERIFIED: &str = "https-unverified";

/// The option with the headers of `injectRequestHeaders`, each as JSON.
pub(super) const INJECTED: &str = "inject_request_headers";

/// An option.
pub(super) struct Found {
    /// The place of its provider in the list. `None` if it is not of a provider.
    pub(super) provider: Option<usize>,
    pub(super) name: String,
    pub(super) values: Vec<String>,
    pub(super) path: String,
}

/// The options of a document. What is in none of them keeps its place as its name: no importer knows it, and everything is closed.
pub(super) fn options(file: &str, document: &Value) -> Result<Vec<Found>, String> {
    let root = At::root(file, document);
    let mut found: Vec<Found> = Vec::new();
    walk(&root, &format!("{file}: "), &mut found);
    for (name, list) in [("upstreams", root.get("upstreamConfig")), ("upstreams", Some(root.clone()))] {
        let upstreams = list.map(|at| at.list("upstreams")).unwrap_or_default();
        if upstreams.is_empty() {
            continue;
        }
        let values: Result<Vec<String>, String> = upstreams.iter().map(upstream).collect();
        let path = upstreams[0].path.replace("[0]", "");
        found.push(Found { provider: None, name: name.to_owned(), values: values?, path });
    }
    if let Some(headers) = root.get("injectRequestHeaders") {
        let values = headers.items().iter().map(|header| header.value.to_string()).collect();
        found.push(Found { provider: None, name: INJECTED.to_owned(), values, path: headers.path });
    }
    Ok(found)
}

/// As the option `upstreams` has it: a URL with the path that is forwarded. The path of `uri` itself has no effect there.
fn upstream(at: &At<'_>) -> Result<String, String> {
    for (key, member) in at.entries() {
        let is_known = matches!(key, "id" | "path" | "uri" | "proxyWebSockets" | "flushInterval" | "static" | "staticCode" | "insecureSkipTLSVerify")
            // `timeout` is for the group; the host is kept unless an option says otherwise.
            || key == "timeout" || key == "passHostHeader" && member.value != false;
        if !is_known {
            return Err(format!("{}: upstreams with `{key}` cannot be carried over", member.path));
        }
    }
    let (uri, path) = (at.text("uri").unwrap_or_default(), at.text("path").unwrap_or("/"));
    if at.flag("static") == Some(true) {
        let code = at.number("staticCode").unwrap_or(200);
        return Ok(format!("static://{code}#{path}"));
    }
    let url = url::Url::parse(uri).map_err(|_| format!("{}: no URL", at.path))?;
    match (url.scheme(), url.host_str(), url.port_or_known_default()) {
        ("https", Some(host), Some(port)) if at.flag("insecureSkipTLSVerify") == Some(true) => {
            Ok(format!("{UNVERIFIED}://{host}:{port}{path}"))
        }
        ("http" | "https", Some(host), Some(port)) => Ok(format!("{}://{host}:{port}{path}", url.scheme())),
        ("file", ..) => Ok(format!("file://{}#{path}", url.path())),
        _ => Err(format!("{}: only upstreams of HTTP and of files can be carried over", at.path)),
    }
}

fn walk(at: &At<'_>, root: &str, found: &mut Vec<Found>) {
    let place = at.path.strip_prefix(root).unwrap_or(&at.path);
    if place.ends_with("upstreams") || place.eq_ignore_ascii_case("injectRequestHeaders") {
        return;
    }
    let (provider, place) = of_provider(place);
    let known = PLACES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&place)).map(|(_, name)| (*name).to_owned());
    let mut push = |name: String, values| found.push(Found { provider, name, values, path: at.path.clone() });
    match (known, at.value) {
        (Some(name), Value::Array(_)) => push(name, at.texts().unwrap_or_default()),
        (None, Value::Object(members)) if !members.is_empty() => {
            at.entries().iter().for_each(|(_, at)| walk(at, root, found));
        }
        (None, Value::Array(items)) if !items.is_empty() => at.items().iter().for_each(|at| walk(at, root, found)),
        (known, value) => {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            push(known.unwrap_or(place), vec![value]);
        }
    }
}

/// The place in the list of providers, and what the place would be below the first one.
fn of_provider(place: &str) -> (Option<usize>, String) {
    let found = place.strip_prefix("providers[").and_then(|rest| {
        let (number, rest) = rest.split_once(']')?;
        Some((number.parse().ok()?, format!("providers[0]{rest}")))
    });
    found.map_or_else(|| (None, place.to_owned()), |(number, place)| (Some(number), place))
}
