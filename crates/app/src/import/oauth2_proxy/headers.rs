//! The headers that targets get. oauth2-proxy removes each of them from what clients send, so a target may believe it.

use serde_json::Value;

use crate::import::claim_headers::{OURS, header_name, remove, set};
use crate::import::draft::Draft;
use crate::import::ledger::{At, Ledger};
use crate::import::oauth2_proxy::alpha::INJECTED;
use crate::import::oauth2_proxy::asked::Asking;
use crate::import::oauth2_proxy::options::{Options, Setting};
use crate::import::yaml::Yaml;

/// Fills `claims.headers`. Where another proxy asks, with those of `set_xauthrequest`.
///
/// # Errors
///
/// In a sentence, if a target could get a header from a client that it does not get from oauth2-proxy. Then every rule has to be closed.
pub(super) fn headers(
    options: &Options,
    asking: Option<Asking>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let (prefix, is_on) = match asking {
        Some(_) => ("x-auth-request", options.is_on("set_xauthrequest")),
        None => ("x-forwarded", options.text("pass_user_headers").is_none() || options.is_on("pass_user_headers")),
    };
    let claims = Claims::of(options);
    let mut result = Ok(());
    if asking.is_none() {
        if let Some(setting) = options.get(INJECTED) {
            result = injected(setting, &claims, draft, ledger);
        }
        result = result.and(authorization(options, ledger));
    }
    // An alpha file lists all headers.
    let has_list = asking.is_none() && options.get(INJECTED).is_some();
    if is_on && !has_list {
        for (name, claim) in [
            ("user", claims.user),
            ("email", "email"),
            ("preferred-username", "preferred_username"),
            ("groups", claims.groups),
        ] {
            result = result.and(set(&format!("{prefix}-{name}"), Yaml::from(claim), draft));
        }
    }
    for options in std::iter::once(options).chain(options.others()) {
        for name in ["pass_user_headers", "user_id_claim"] {
            options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, "claims.headers"));
        }
        // The same for all providers, or everything is closed.
        options.get("oidc_email_claim").into_iter().for_each(|claim| ledger.kept(&claim.path, "who comes in"));
    }
    result
}

/// `injectRequestHeaders` of an alpha file.
fn injected(setting: &Setting, claims: &Claims<'_>, draft: &mut Draft, ledger: &mut Ledger) -> Result<(), String> {
    let mut lost = None;
    for (number, text) in setting.values.iter().enumerate() {
        let header: Value = serde_json::from_str(text).unwrap_or_default();
        let header = At { path: format!("{}[{number}]", setting.path), value: &header };
        let name = header_name(header.text("name").unwrap_or_default());
        let why = if OURS.contains(&name.as_str()) {
            "Vestibule sets or removes the header itself".to_owned()
        } else {
            let claim = claims.value(&header);
            // Names with the same letters have one entry. Without a claim that both have, nobody has it.
            let is_set = claim.is_some_and(|claim| set(&name, claim.into(), draft).is_ok());
            match remove(&name, draft) {
                Ok(()) if is_set => "claims.headers: clients cannot set the header".to_owned(),
                Ok(()) => format!(
                    "claims.headers: clients cannot set {name}, and targets do not get it: no claim is its value"
                ),
                Err(_) => {
                    lost.get_or_insert_with(|| unfit(&name, &header.path));
                    continue;
                }
            }
        };
        ledger.changed(&header.path, &why);
    }
    let Some(why) = lost else { return Ok(()) };
    ledger.dropped(&setting.path, &why);
    Err(why)
}

fn unfit(name: &str, path: &str) -> String {
    format!(
        "{path}: oauth2-proxy replaces `{name}` of clients, and Vestibule passes it on as a client sends it. If no application believes it, remove this setting and import again; they can read x-amzn-oidc-data"
    )
}

/// `pass_authorization_header`, and `basic_auth_password` with `pass_basic_auth`, which is on if it is not set.
fn authorization(options: &Options, ledger: &mut Ledger) -> Result<(), String> {
    let has_basic = options.text("pass_basic_auth").is_none() || options.is_on("pass_basic_auth");
    let basic = options.get("basic_auth_password").filter(|_| has_basic);
    let token = options.get("pass_authorization_header").filter(|_| options.is_on("pass_authorization_header"));
    let Some(setting) = basic.or(token) else { return Ok(()) };
    let why = unfit("authorization", &setting.path);
    ledger.dropped(&setting.path, &why);
    Err(why)
}

/// The claims of what oauth2-proxy knows of a user.
struct Claims<'o> {
    user: &'o str,
    groups: &'o str,
}

impl<'o> Claims<'o> {
    fn of(options: &'o Options) -> Self {
        Self {
            user: options.text("user_id_claim").unwrap_or("sub"),
            groups: options.text("oidc_groups_claim").unwrap_or("groups"),
        }
    }

    /// The claim of a header with one value, which is a claim and nothing else.
    fn value(&self, header: &At<'_>) -> Option<&'o str> {
        let values = header.list("values");
        let [value] = values.as_slice() else { return None };
        let source = value.get("claimSource").unwrap_or_else(|| value.clone());
        let is_plain = |at: &At<'_>| at.entries().iter().all(|(key, _)| matches!(*key, "claim" | "claimSource"));
        if !is_plain(value) || !is_plain(&source) {
            return None;
        }
        match source.text("claim")? {
            "user" => Some(self.user),
            "email" => Some("email"),
            "groups" => Some(self.groups),
            "preferred_username" => Some("preferred_username"),
            _ => None,
        }
    }
}
