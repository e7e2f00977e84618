//! `validation` of bearer tokens: whether a provider is asked about them (RFC 7662).

use crate::action::settings::{AuthenticateKind, Validation};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::bearer::{self as written, Bearer, TokenType};
use crate::config::settled::{ListenerConfig, ProviderConfig};
use crate::config::validate::context::Context;
use crate::oidc::settings::{ClientAuth, Settings};

/// `issuers` are the issuers of the tokens, if they are valid.
pub(super) fn validation(
    raw: &Bearer,
    issuers: &[AuthenticateKind],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Validation, Reported> {
    let validation = match raw.validation {
        written::Validation::Jwt => return Ok(Validation::Keys),
        written::Validation::Introspection => Validation::Introspection,
        written::Validation::Auto => Validation::ByForm,
    };
    let validation_at = at.key("validation");
    if raw.issuer.is_some() {
        let message = "only the keys of this issuer are known, so it cannot be asked about tokens";
        let problem = context.found.problem(&validation_at, message).label(&at.key("issuer"), "the issuer");
        return problem
            .hint("add it to `identity_providers`, with `client_id` and `client_secret_file`, and set `provider`")
            .fail();
    }
    if issuers.len() > 1 {
        let message = "an opaque token does not say which of several providers to ask, and no provider may see the tokens of another";
        let problem = context.found.problem(&validation_at, message);
        return problem.hint("name one by `provider` in `bearer`, or remove `validation`").fail();
    }
    if let [AuthenticateKind::UserPool(_)] = issuers {
        let problem = context
            .found
            .problem(&validation_at, "`validation` is for tokens of a provider: access tokens of a user pool are JWTs");
        return problem.hint("remove `validation`").fail();
    }
    if !raw.algorithms.is_empty() && validation == Validation::Introspection {
        let message = "`algorithms` has no effect with `validation: introspection`: no signature is verified";
        return context
            .found
            .problem(&at.key("algorithms"), message)
            .hint("remove `algorithms`, or set `validation: auto`")
            .fail();
    }
    let is_only_jwt = match raw.token_type {
        TokenType::Access => false,
        TokenType::AtJwt => validation == Validation::Introspection,
        TokenType::Id => true,
    };
    if is_only_jwt {
        let problem = context.found.problem(&at.key("token_type"), "a provider can only be asked about access tokens");
        return problem.hint("remove `token_type`, or set `validation: jwt`").fail();
    }
    Ok(validation)
}

/// Marks the providers that a rule asks about tokens, and checks that they can be asked.
pub(super) fn mark(providers: &mut [ProviderConfig], listeners: &[ListenerConfig], context: &mut Context<'_>) {
    for ProviderConfig { settings, .. } in providers {
        settings.introspects = is_asked(listeners, settings);
        if settings.introspects {
            check(settings, context);
        }
    }
}

fn is_asked(listeners: &[ListenerConfig], provider: &Settings) -> bool {
    let mut gates = listeners.iter().flat_map(ListenerConfig::chains).flat_map(|chain| &chain.gates);
    gates.any(|gate| {
        gate.bearer().is_some_and(|bearer| {
            bearer.validation != Validation::Keys
                && bearer.issuers.contains(&AuthenticateKind::Oidc(provider.name.clone()))
        })
    })
}

fn check(settings: &Settings, context: &mut Context<'_>) {
    let at = Path::default().key("identity_providers").key(&settings.name);
    if settings.client_secret.is_none() || settings.token_endpoint_auth_method == Some(ClientAuth::None) {
        let message =
            "a rule asks this provider about tokens, and there is no client secret to ask with (RFC 7662 §2.1)";
        context.found.problem(&at, message).hint("set `client_secret_file`");
    }
    let endpoints = &settings.endpoints;
    let has_no_discovery = endpoints.authorization.is_some() && endpoints.token.is_some() && endpoints.jwks.is_some();
    if has_no_discovery && endpoints.introspection.is_none() {
        let message = "a rule asks this provider about tokens, and the file names its endpoints, so there is no discovery, but not that of introspection";
        context.found.problem(&at, message).hint("set `introspection_endpoint`");
    }
}
