//! `auth-type` and the annotations that go with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::import::draft::{Draft, Login, Need};
use crate::import::elbv2::login;
use crate::import::ingress::objects::{Objects, annotation, text};
use crate::import::ledger::{At, Ledger, number};
use crate::import::yaml::Yaml;

/// In place of a client ID that is in a Secret which was not given.
const MARK: &str = "client-id-of-secret:";

/// The gate of a rule. `None` if everybody may come in.
pub(super) fn login(
    sources: &[&At<'_>],
    namespace: &str,
    objects: &Objects<'_>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<Option<Login>, String> {
    // An annotation of the Service comes before one of the Ingress.
    let find = |name: &str| sources.iter().find_map(|source| annotation(source, name));
    let Some(kind) = find("auth-type") else { return Ok(None) };
    let mut config = BTreeMap::new();
    for (name, key) in [
        ("auth-scope", "Scope"),
        ("auth-session-cookie", "SessionCookieName"),
        ("auth-session-timeout", "SessionTimeout"),
        ("auth-on-unauthenticated-request", "OnUnauthenticatedRequest"),
    ] {
        if let Some(at) = find(name) {
            let value = number(at.value).map_or_else(|| Value::from(text(at.value)), Value::from);
            config.insert(key.to_owned(), if key == "SessionTimeout" { value } else { Value::from(text(at.value)) });
        }
    }
    let (action, key) = match text(kind.value).as_str() {
        "none" => {
            mark(sources, ledger);
            return Ok(None);
        }
        "oidc" => {
            let at = find("auth-idp-oidc").ok_or("auth-type is oidc, and there is no auth-idp-oidc")?;
            for (name, member) in at.entries() {
                if name != "secretName" {
                    config.insert(name.to_owned(), member.value.clone());
                }
            }
            let secret = at.text("secretName").ok_or("auth-idp-oidc has no secretName")?;
            config.insert("ClientId".to_owned(), Value::from(client_id(secret, namespace, objects)));
            ("authenticate-oidc", "AuthenticateOidcConfig")
        }
        "cognito" => {
            let at = find("auth-idp-cognito").ok_or("auth-type is cognito, and there is no auth-idp-cognito")?;
            config.extend(at.entries().into_iter().map(|(name, member)| (name.to_owned(), member.value.clone())));
            ("authenticate-cognito", "AuthenticateCognitoConfig")
        }
        other => return Err(format!("auth-type is `{other}`")),
    };
    let item = json!({ key: config });
    let (at, mut scratch) = (At::root("annotations", &item), Ledger::default());
    scratch.add(&at);
    let login = login::login(&at, action, draft, &mut scratch)?;
    if let Some(unknown) = scratch.unknown(&at.path).first() {
        return Err(format!("this importer does not know {unknown}"));
    }
    mark(sources, ledger);
    Ok(Some(login))
}

fn mark(sources: &[&At<'_>], ledger: &mut Ledger) {
    for source in sources {
        for name in [
            "auth-type",
            "auth-idp-oidc",
            "auth-idp-cognito",
            "auth-scope",
            "auth-session-cookie",
            "auth-session-timeout",
            "auth-on-unauthenticated-request",
        ] {
            let at = annotation(source, name).into_iter();
            at.for_each(|at| {
                ledger.kept(&at.path, "authenticate-oidc and identity_providers; users sign in once more")
            });
        }
    }
}

fn client_id(secret: &str, namespace: &str, objects: &Objects<'_>) -> String {
    let found = objects.secrets.get(&(namespace.to_owned(), secret.to_owned()));
    let plain = || found?.get("stringData")?.text("clientID").map(str::to_owned);
    let encoded = || {
        let text = found?.get("data")?.text("clientID")?;
        String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok().map(|text| text.trim().to_owned())
    };
    plain().or_else(encoded).unwrap_or_else(|| format!("{MARK}{secret}"))
}

/// Puts variables in place of client IDs that are not known.
pub(super) fn name_client_ids(draft: &mut Draft) {
    let mut variables = Vec::new();
    for (_, settings) in &mut draft.providers {
        let Some(Yaml::Text(text)) = settings.get("client_id") else { continue };
        let Some(secret) = text.strip_prefix(MARK) else { continue };
        let upper = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
        let variable = format!("OIDC_CLIENT_ID_{}", secret.chars().map(upper).collect::<String>());
        variables.push((variable.clone(), format!("clientID of the Secret {secret}")));
        settings.replace("client_id", Yaml::Variable(variable));
    }
    for (variable, what) in variables {
        draft.needs(&variable, Need::Variable { what });
    }
}
