//! `jwt-validation`, and `bearer` of `session-or-bearer` (ALB §8.1).

use std::sync::Arc;

use crate::action::settings::{self, AuthenticateKind, BearerSettings};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::document::suggest;
use crate::config::raw::bearer::{
    self as written, ADDITIONAL_CLAIMS_MAX, AdditionalClaim, Bearer, CLAIM_VALUE_LENGTH_MAX, CLAIM_VALUES_MAX,
    ClaimFormat, TokenType,
};
use crate::config::raw::value::List;
use crate::config::settled::ProviderConfig;
use crate::config::validate::context::Context;
use crate::config::validate::{introspection, keys, session, value};
use crate::jose::compact::Algorithm;
use crate::oidc::access_token::{TokenKind, Wanted};
use crate::oidc::settings::{ClientAuth, Endpoints, Settings};

/// Claims that are checked in any case (ALB §8.1).
const CHECKED_CLAIMS: [&str; 4] = ["exp", "iss", "nbf", "iat"];

/// `default` are the issuers of tokens where `raw` names none, if there are any and they are valid.
pub(super) fn bearer(
    raw: &Bearer,
    default: Option<Result<Vec<AuthenticateKind>, Reported>>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<BearerSettings, Reported> {
    let issuers = issuers(raw, default, at, context);
    let validation = introspection::validation(raw, issuers.as_deref().unwrap_or_default(), at, context);
    let kind = match raw.token_type {
        TokenType::Access => TokenKind::Access,
        TokenType::AtJwt => TokenKind::Rfc9068,
        TokenType::Id => TokenKind::Id,
    };
    let audiences = value::each(&raw.audience, &at.key("audience"), &mut context.found, |audience, at, found| {
        if audience.is_empty() {
            found.problem(at, "the audience is empty").hint("write the `aud` of the tokens, or remove it").fail()
        } else {
            Ok(audience.clone())
        }
    });
    let algorithms = value::each(&raw.algorithms, &at.key("algorithms"), &mut context.found, |name, at, found| {
        Algorithm::from_name(name).ok_or_else(|| {
            let problem = found.problem(at, format!("`{name}` is not an algorithm with a public key"));
            let all = || format!("use one of {}", Algorithm::NAMES.join(", "));
            problem.hint(suggest::hint(name, Algorithm::NAMES).unwrap_or_else(all)).reported()
        })
    });
    let scopes = scopes_of(raw.scope.as_deref(), &at.key("scope"), context);
    let suggested_scopes = scopes_of(raw.suggested_scope.as_deref(), &at.key("suggested_scope"), context);
    let public_client_id = client_id(raw.public_client_id.as_deref(), &at.key("public_client_id"), context);
    let resource_path = resource_path(raw.resource_path.as_deref(), &at.key("resource_path"), context);
    let additional_claims = additional_claims(&raw.additional_claims, &at.key("additional_claims"), context);
    let issuers = issuers?;
    if issuers.len() > 1 && raw.public_client_id.is_some() {
        let message = "a client is of one provider, and tokens of several are accepted";
        let problem = context.found.problem(&at.key("public_client_id"), message);
        return problem.hint("name one by `provider` in `bearer`, or remove `public_client_id`").fail();
    }
    if raw.audience.is_empty() {
        without_audience(raw, at, context)?;
    }
    Ok(BearerSettings {
        issuers,
        validation: validation?,
        wanted: Wanted { audiences: audiences?, kind, algorithms: algorithms? },
        scopes: scopes?,
        resource_path: resource_path?,
        // Until the other rules are known.
        is_announced: true,
        public_client_id: public_client_id?,
        suggested_scopes: suggested_scopes?,
        additional_claims: additional_claims?,
    })
}

/// Without an audience, a token that a user gave to another application is accepted here (attacks B-03).
fn without_audience(raw: &Bearer, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    if raw.token_type == TokenType::Id {
        let problem = context.found.problem(at, "`token_type: id` without `audience`");
        return problem.lacks(&at.key("audience")).hint("list the client IDs whose ID tokens are accepted").fail();
    }
    let names_client = |claim: &AdditionalClaim| ["aud", "client_id", "azp"].contains(&claim.name.as_str());
    if !raw.additional_claims.iter().any(|(_, claim)| names_client(claim)) {
        let warning = context
            .found
            .warning(at, "tokens for other applications of the issuer are accepted, because there is no `audience`");
        warning.hint("set `audience`; for Amazon Cognito, whose access tokens have no `aud`, `additional_claims` with `client_id`");
    }
    Ok(())
}

fn issuers(
    raw: &Bearer,
    default: Option<Result<Vec<AuthenticateKind>, Reported>>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<AuthenticateKind>, Reported> {
    if let (Some(_), None) = (&raw.jwks_endpoint, &raw.issuer) {
        let problem = context.found.problem(&at.key("jwks_endpoint"), "`jwks_endpoint` without `issuer`");
        return problem.lacks(&at.key("issuer")).hint("set `issuer` to the claim `iss` of the tokens").fail();
    }
    let given: Vec<&str> = [
        ("provider", raw.provider.is_some()),
        ("user_pool", raw.user_pool.is_some()),
        ("issuer", raw.issuer.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_given)| is_given.then_some(name))
    .collect();
    match (given.as_slice(), default) {
        ([], Some(default)) => return default,
        ([], None) => {
            let problem = context.found.problem(at, "no issuer of tokens is named");
            return problem.hint("set `issuer` and `jwks_endpoint`, or `provider`, or `user_pool`").fail();
        }
        ([_], _) => {}
        ([first, second, ..], _) => {
            let problem = context.found.problem(&at.key(second), format!("both `{first}` and `{second}` are set"));
            return problem.label(&at.key(first), "the other one").hint("keep one of them").fail();
        }
    }
    if let Some(file_at) = raw.ca_file.as_ref().filter(|_| raw.issuer.is_none()).map(|_| at.key("ca_file")) {
        let problem = context.found.problem(&file_at, "`ca_file` is for `jwks_endpoint`");
        return problem.hint("set `ca_file` of the provider").fail();
    }
    let issuer = match (&raw.provider, &raw.user_pool, &raw.issuer) {
        (Some(name), ..) => {
            context.refer(name, "identity_providers", "provider", &at.key("provider"))?;
            AuthenticateKind::Oidc(Arc::from(name.as_str()))
        }
        (_, Some(name), _) => {
            context.refer(name, "user_pools", "user pool", &at.key("user_pool"))?;
            AuthenticateKind::UserPool(Arc::from(name.as_str()))
        }
        (.., issuer) => keys_of(issuer.as_deref().unwrap_or_default(), raw, at, context)?,
    };
    Ok(vec![issuer])
}

/// An issuer of which only the keys are used. It becomes a provider whose name is the issuer.
fn keys_of(issuer: &str, raw: &Bearer, at: &Path, context: &mut Context<'_>) -> Result<AuthenticateKind, Reported> {
    let Some(jwks) = &raw.jwks_endpoint else {
        let problem = context.found.problem(at, "`issuer` without `jwks_endpoint`");
        return problem
            .lacks(&at.key("jwks_endpoint"))
            .hint("set `jwks_endpoint` to the URL of the keys of the issuer")
            .fail();
    };
    if issuer.is_empty() {
        return context
            .found
            .problem(&at.key("issuer"), "the issuer is empty")
            .hint("write the claim `iss` of the tokens")
            .fail();
    }
    let jwks = value::secure_url(jwks, &at.key("jwks_endpoint"), &mut context.found);
    let roots = raw.ca_file.as_ref().map(|file| keys::roots(file, &at.key("ca_file"), context)).transpose();
    let settings = Settings {
        signs_in: false,
        token_endpoint_auth_method: Some(ClientAuth::None),
        endpoints: Endpoints { jwks: Some(jwks?), ..Endpoints::default() },
        ..Settings::new(issuer, issuer, "")
    };
    let provider = ProviderConfig { settings, roots: roots? };
    let name = Arc::clone(&provider.settings.name);
    match context.issuers.iter().find(|(known, _)| known.settings.name == name) {
        None => context.issuers.push((provider, at.clone())),
        Some((known, _)) if *known == provider => {}
        Some((_, first)) => {
            let first = first.clone();
            let message = format!("the issuer `{issuer}` has other keys elsewhere in this file");
            let problem = context.found.problem(&at.key("jwks_endpoint"), message).label(&first, "first used here");
            return problem.hint("set the same `jwks_endpoint` and `ca_file` at both").fail();
        }
    }
    Ok(AuthenticateKind::Oidc(name))
}

/// Empty for the whole host, which has no slash at its end (RFC 9728 §3.1).
fn resource_path(written: Option<&str>, at: &Path, context: &mut Context<'_>) -> Result<String, Reported> {
    match written {
        None | Some("/") => Ok(String::new()),
        Some(path) if session::is_plain_path(path) => Ok(path.to_owned()),
        Some(path) => {
            let problem = context.found.problem(at, format!("`{path}` is not a plain path"));
            problem
                .hint(
                    "example: `/mcp`; use letters, digits, `-`, `_`, `.` and `~` between slashes, no slash at the end",
                )
                .fail()
        }
    }
}

/// RFC 6749 appendix A.1: visible ASCII and spaces.
fn client_id(written: Option<&str>, at: &Path, context: &mut Context<'_>) -> Result<Option<String>, Reported> {
    match written {
        Some(id) if id.is_empty() || !id.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) => {
            let problem = context.found.problem(at, format!("`{id}` is not a client ID"));
            problem.hint("write it as the issuer shows it: visible ASCII characters").fail()
        }
        other => Ok(other.map(str::to_owned)),
    }
}

fn scopes_of(written: Option<&str>, at: &Path, context: &mut Context<'_>) -> Result<Vec<String>, Reported> {
    let scopes = written.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
    scopes
        .map(|scope| {
            if value::is_scope(scope) {
                Ok(scope.to_owned())
            } else {
                let problem = context.found.problem(at, format!("`{scope}` is not a scope"));
                problem.hint("separate scopes by one space").fail()
            }
        })
        .collect()
}

fn additional_claims(
    raw: &List<AdditionalClaim>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<settings::AdditionalClaim>, Reported> {
    let claims = context.each_item(raw, at, additional_claim);
    if raw.iter().count() > ADDITIONAL_CLAIMS_MAX {
        let problem = context.found.problem(at, format!("more than {ADDITIONAL_CLAIMS_MAX} claims"));
        return problem.hint("ask for more by an `authorize` action behind it").fail();
    }
    claims
}

fn additional_claim(
    raw: &AdditionalClaim,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<settings::AdditionalClaim, Reported> {
    let name = raw.name.as_str();
    if name.is_empty() {
        return context
            .found
            .problem(&at.key("name"), "the name of the claim is empty")
            .hint("write the name of a claim, such as `client_id`")
            .fail();
    }
    if CHECKED_CLAIMS.contains(&name) {
        let problem = context.found.problem(&at.key("name"), format!("`{name}` is checked in any case"));
        return problem.hint("remove it").fail();
    }
    let values_at = at.key("values");
    let count = raw.values.iter().count();
    if !(1..=CLAIM_VALUES_MAX).contains(&count) {
        let message = format!("{count} values; 1 to {CLAIM_VALUES_MAX} are allowed");
        return context
            .found
            .problem(&values_at, message)
            .hint("for more values, use an `authorize` action behind it")
            .fail();
    }
    let values = value::each(&raw.values, &values_at, &mut context.found, |value, at, found| {
        if value.chars().count() > CLAIM_VALUE_LENGTH_MAX {
            return found.problem(at, format!("longer than {CLAIM_VALUE_LENGTH_MAX} characters")).fail();
        }
        if raw.format == ClaimFormat::SpaceSeparatedValues && (value.is_empty() || value.contains(' ')) {
            let problem = found.problem(at, format!("`{value}` is not one word"));
            return problem.hint("write each word as a value of its own").fail();
        }
        Ok(value.clone())
    });
    Ok(settings::AdditionalClaim {
        name: name.to_owned(),
        format: match raw.format {
            written::ClaimFormat::SingleString => settings::ClaimFormat::SingleString,
            written::ClaimFormat::StringArray => settings::ClaimFormat::StringArray,
            written::ClaimFormat::SpaceSeparatedValues => settings::ClaimFormat::SpaceSeparatedValues,
        },
        values: values?,
    })
}
