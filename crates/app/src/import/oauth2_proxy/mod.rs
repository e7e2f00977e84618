//! oauth2-proxy: its file, its environment, its flags and its alpha file.
//!
//! `options` reads them into one table, `alpha` adds the alpha file. `provider` and `gate` make the sign-in and what it asks of users, `headers`
//! what targets are told of them, `routes` the rules behind it, `open` those without it. `asked` is about another proxy that asks. An option that nobody knows may be a gate, so everything is closed then.

mod alpha;
mod asked;
mod expression;
mod gate;
mod headers;
mod open;
mod options;
mod provider;
mod routes;
mod trusted;
mod upstream;

use crate::import::draft::{Draft, Listener};
use crate::import::ledger::Ledger;
pub(crate) use crate::import::oauth2_proxy::asked::{Asking, Wanted};
use crate::import::oauth2_proxy::options::Options;
use crate::import::text::Input;
use crate::import::yaml::{Map, Yaml};

/// Options that say nothing about who comes in, and what became of them.
const DROPPED: &[(&str, &str)] = &[
    ("cookie_secret", "session.key_files: a key of its own; users sign in once more"),
    ("cookie_secret_file", "session.key_files: a key of its own; users sign in once more"),
    ("cookie_refresh", "tokens are refreshed before they expire"),
    ("cookie_secure", "cookies are always Secure"),
    ("cookie_httponly", "cookies are always HttpOnly"),
    ("cookie_domains", "a session is for one host; each host has a sign-in of its own"),
    ("cookie_path", "a session is for one host; its path is /"),
    ("cookie_csrf_per_request", "each sign-in has a cookie of its own"),
    ("cookie_csrf_per_request_limit", "each sign-in has a cookie of its own"),
    ("cookie_csrf_expire", "a sign-in has 15 minutes"),
    ("whitelist_domains", "after the sign-in a browser goes to the address that it asked for"),
    ("skip_provider_button", "browsers are always sent to the provider at once"),
    ("session_store_type", "sessions are in cookies"),
    ("session_cookie_minimal", "sessions are in cookies"),
    ("htpasswd_file", "no passwords; the users of the file have to sign in at the provider"),
    ("htpasswd_user_groups", "no passwords"),
    ("display_htpasswd_form", "no passwords"),
    ("pass_basic_auth", "targets get claims headers and no Basic credentials"),
    ("basic_auth_password", "targets get claims headers and no Basic credentials"),
    ("prefer_email_to_user", "targets get both in headers of their own"),
    ("pass_access_token", "targets get it as x-amzn-oidc-accesstoken"),
    ("pass_authorization_header", "targets get signed claims as x-amzn-oidc-data"),
    ("set_authorization_header", "targets get signed claims as x-amzn-oidc-data"),
    ("skip_auth_strip_headers", "identity headers of clients are always removed"),
    ("ssl_insecure_skip_verify", "certificates of the provider are always verified"),
    ("insecure_oidc_skip_issuer_verification", "the issuer is always verified"),
    ("insecure_oidc_allow_unverified_email", "e-mail addresses count only if they are verified"),
    ("insecure_oidc_skip_nonce", "the nonce is always verified"),
    ("skip_claims_from_profile_url", "claims of userinfo are added to those of the ID token"),
    ("oidc_extra_audiences", "the audience must be the client ID"),
    ("extra_jwt_issuers", "without skip_jwt_bearer_tokens it has no effect"),
    ("bearer_token_login_fallback", "a request with a token that is not valid is answered 401"),
    ("real_client_ip_header", "X-Forwarded-For of trusted_proxies"),
    ("metrics_address", "admin.address has the metrics"),
    ("metrics_secure_address", "admin.address has the metrics"),
    ("ping_path", "admin.address has /livez"),
    ("ready_path", "admin.address has /readyz"),
    ("silence_ping_logging", "there is nothing to silence"),
    ("proxy_websockets", "WebSockets always pass"),
    ("flush_interval", "answers are passed on as they come"),
    ("force_https", "add a listener that redirects"),
    ("force_json_errors", "programs always get JSON"),
    ("approval_prompt", "prompt is the parameter of OpenID Connect"),
];

/// Beginnings of such options.
const DROPPED_FAMILIES: &[(&str, &str)] = &[
    ("redis_", "sessions are in cookies"),
    ("injectrequestheaders", "without an effect where another proxy asks"),
    ("inject_request_headers", "without an effect where another proxy asks"),
    ("injectresponseheaders", "claims.headers: write those that the other proxy takes from the answer"),
    ("providers[0].id", "the name in identity_providers"),
    ("providers[0].name", "the name in identity_providers"),
    ("request_logging", "access_log"),
    ("auth_logging", "access_log"),
    ("standard_logging", "log"),
    ("logging_", "log"),
    ("exclude_logging", "access_log"),
    ("request_id_header", "X-Amzn-Trace-Id"),
    ("custom_", "pages: docs/PAGES.md"),
    ("banner", "pages: docs/PAGES.md"),
    ("footer", "pages: docs/PAGES.md"),
    ("show_debug_on_error", "errors are in the log only"),
];

/// Reads the configuration.
///
/// # Errors
///
/// In a sentence: what cannot be read, or cannot be carried over as a whole.
pub(crate) fn read(inputs: &[Input], flags: &[String], wanted: Wanted) -> Result<(Draft, Ledger), String> {
    let mut ledger = Ledger::default();
    let options = Options::read(inputs, flags, &mut ledger)?;
    named_files(&options, inputs, &mut ledger)?;
    let options = match wanted.every_provider {
        true => options,
        false => without_others(options, &mut ledger),
    };
    let asking = asked::asking(&options, wanted)?;
    let mut draft = Draft::default();
    draft.header.push("From oauth2-proxy, by `vestibule import oauth2-proxy`.".to_owned());
    asked::rows(&options, asking, wanted.asked_by.is_some(), &mut ledger);
    let gate = gate::gate(&options, &mut draft, &mut ledger)?;
    let headers = headers::headers(&options, asking, &mut draft, &mut ledger);
    let (settings, name) = listener(&options, asking, &mut draft, &mut ledger)?;
    let (mut rules, mut default) = routes::routes(&options, &gate, asking, &mut draft, &mut ledger);
    if let Err(why) = headers {
        rules.iter_mut().for_each(|rule| rule.close(&why));
        default.close(&why);
    }
    for (_, setting) in options.everything().filter(|(_, setting)| setting.values.iter().all(String::is_empty)) {
        ledger.kept(&setting.path, "not set");
    }
    for (name, setting) in options.everything() {
        let known = DROPPED.iter().find(|(known, _)| *known == name);
        let family = || DROPPED_FAMILIES.iter().find(|(begin, _)| name.starts_with(begin));
        if let Some((_, why)) = known.or_else(family) {
            ledger.dropped(&setting.path, why);
        }
    }
    for (_, setting) in options.everything() {
        if !ledger.unknown(&setting.path).is_empty() {
            let name = setting.path.rsplit(": ").next().unwrap_or_default();
            let why = format!("this importer does not know the option {name}, and it may restrict who comes in");
            rules.iter_mut().for_each(|rule| rule.close(&why));
            default.close(&why);
        }
    }
    let source = "default actions".to_owned();
    draft.listeners.push(Listener { name, settings, rules, default, source });
    Ok((draft, ledger))
}

/// oauth2-proxy signs users in at its first provider, whatever other ones its file has.
fn without_others(options: Options, ledger: &mut Ledger) -> Options {
    for (_, setting) in options.others().iter().flat_map(Options::everything) {
        let why = "oauth2-proxy signs users in at the first provider only; with --every-provider, users choose, and those of this one come in, too";
        ledger.dropped(&setting.path, why);
    }
    options.of_first_provider()
}

/// A file that is named and not given may say who comes in, so the input is incomplete. A file is known by its name, without its folder.
fn named_files(options: &Options, inputs: &[Input], ledger: &mut Ledger) -> Result<(), String> {
    fn name(path: &str) -> &str {
        path.rsplit('/').next().unwrap_or(path)
    }
    for setting in ["config", "alpha_config"].iter().filter_map(|option| options.get(option)) {
        let is_given = |path: &&String| inputs.iter().any(|input| name(&input.name) == name(path));
        if let Some(path) = setting.values.iter().find(|path| !is_given(path)) {
            return Err(format!(
                "{}: {path} was not given: give the file, under this name, to the importer",
                setting.path
            ));
        }
        ledger.kept(&setting.path, "the file was read");
    }
    Ok(())
}

fn listener(
    options: &Options,
    asking: Option<Asking>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(Map, String), String> {
    let kept = |name: &str, place: &str, ledger: &mut Ledger| {
        options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, place));
    };
    let mut settings = Map::default();
    for name in ["http_address", "https_address", "tls_cert_file", "tls_key_file", "reverse_proxy", "trusted_proxy_ips"]
    {
        kept(name, "the listener", ledger);
    }
    if let (Some(certificate), Some(key)) = (options.text("tls_cert_file"), options.text("tls_key_file")) {
        settings.set("address", address(options.text("https_address").unwrap_or(":443"))?);
        settings.set("protocol", "https");
        let certificate = draft.certificate(certificate, key);
        settings.set("certificates", vec![certificate]);
        if let Some(asking) = asking {
            settings.set("forward_auth", asking.settings(&trusted::trusted_proxies(options)));
        }
        return Ok((settings, "https".to_owned()));
    }
    settings.set("address", address(options.text("http_address").unwrap_or("127.0.0.1:4180"))?);
    settings.set("protocol", "http");
    if let Some(asking) = asking {
        settings.set("forward_auth", asking.settings(&trusted::trusted_proxies(options)));
        return Ok((settings, "http".to_owned()));
    }
    settings.set("trusted_proxies", Yaml::from(&trusted::trusted_proxies(options)[..]));
    settings.comment(
        "trusted_proxies",
        "The proxy in front that ends TLS. It has to send X-Forwarded-Proto: https. Replace this by its networks.",
    );
    Ok((settings, "http".to_owned()))
}

/// `127.0.0.1:4180`, `:4180` or `http://127.0.0.1:4180`.
fn address(text: &str) -> Result<String, String> {
    let bare =
        text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text).trim_end_matches('/');
    let full = bare.strip_prefix(':').map_or_else(|| bare.to_owned(), |port| format!("0.0.0.0:{port}"));
    let full = full.replacen("localhost:", "127.0.0.1:", 1);
    match full.parse::<std::net::SocketAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!("`{text}` is no address and port to listen on")),
    }
}

#[cfg(test)]
mod tests;
