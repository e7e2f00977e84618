//! Tests a provider for `check --online`: everything that can be tested without a user.

use std::fmt;

use url::Url;

use crate::crypto::octets;
use crate::jose::compact::Algorithm;
use crate::message::causes::with_causes;
use crate::oidc::caller::{Endpoint, get};
use crate::oidc::discovery::{self, Metadata};
use crate::oidc::error::{Blame, Error};
use crate::oidc::flow::Pending;
use crate::oidc::relying_party::RelyingParty;
use crate::oidc::settings::{Binding, Userinfo};
use crate::oidc::tokens::{self, CodeGrant};
use crate::secret::Secret;

/// The test results of one provider.
#[derive(Debug)]
pub struct Survey {
    pub(crate) provider: String,
    pub(crate) findings: Vec<Finding>,
}

/// The result of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    text: String,
}

/// The verdict of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    /// Sign-ins may work, but not as configured.
    Warning,
    /// Sign-ins fail.
    Wrong,
}

impl Survey {
    /// Whether sign-ins fail.
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Wrong)
    }

    fn say(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.findings.push(Finding { verdict, text: text.into() });
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "provider `{}`", self.provider)?;
        for Finding { verdict, text } in &self.findings {
            let verdict = match verdict {
                Verdict::Fine => "ok",
                Verdict::Warning => "warning",
                Verdict::Wrong => "error",
            };
            writeln!(f, "  {verdict:<8}{text}")?;
        }
        Ok(())
    }
}

impl RelyingParty {
    /// Fetches the metadata and the keys, and tests the endpoints and the client credentials.
    pub async fn survey(&self) -> Survey {
        let mut survey = Survey { provider: self.name().to_string(), findings: Vec::new() };
        if let (false, Some(jwks_uri)) = (self.provider.settings.signs_in, &self.provider.settings.endpoints.jwks) {
            self.survey_keys(jwks_uri, "tokens", &mut survey).await;
            return survey;
        }
        let metadata = match self.provider.metadata_now().await {
            Ok(metadata) => metadata,
            Err(error) => {
                survey.say(Verdict::Wrong, with_causes(&error));
                return survey;
            }
        };
        survey.say(Verdict::Fine, self.metadata_is_from());
        for warning in self.mismatches(&metadata) {
            survey.say(Verdict::Warning, warning);
        }
        self.survey_keys(&metadata.jwks_uri, "ID tokens", &mut survey).await;
        self.survey_credentials(&metadata, &mut survey).await;
        self.survey_userinfo(&metadata, &mut survey).await;
        self.survey_graph(&mut survey).await;
        self.survey_introspection(&mut survey).await;
        survey
    }

    async fn survey_keys(&self, jwks_uri: &Url, of: &str, survey: &mut Survey) {
        match self.provider.keys_now(jwks_uri).await {
            Ok(keys) => {
                let skipped = match keys.skipped() {
                    0 => String::new(),
                    skipped => format!(", {skipped} skipped (another use or algorithm)"),
                };
                survey.say(Verdict::Fine, format!("keys: {} can verify {of}{skipped}", keys.len()));
            }
            Err(error) => survey.say(Verdict::Wrong, with_causes(&error)),
        }
    }

    fn metadata_is_from(&self) -> String {
        let settings = &self.provider.settings;
        match discovery::location(settings) {
            Ok(url) if self.provider.is_discovered() => format!("discovery: {url} names issuer `{}`", settings.issuer),
            _ => format!("issuer: `{}`, not asked, because the file names every endpoint", settings.issuer),
        }
    }

    /// Redeems a made-up code. If the credentials are right, the provider refuses the code; otherwise it refuses the client.
    async fn survey_credentials(&self, metadata: &Metadata, survey: &mut Survey) {
        let settings = &self.provider.settings;
        let code = Secret::new(format!("vestibule-check-{}", octets::token()));
        let pending = Pending::new(octets::token(), settings);
        // `.invalid` belongs to nobody (RFC 2606 §2).
        let redirect_uri = "https://vestibule.invalid/oauth2/idpresponse".to_owned();
        let grant = CodeGrant { code: &code, pending: &pending, redirect_uri };
        let (caller, now) = (&self.provider.caller, self.provider.clock.now());
        let answer = tokens::redeem(settings, metadata, caller, grant, now).await;
        let client_id = &settings.client_id;
        let (verdict, text) = match answer {
            Err(Error::CodeRejected) => {
                (Verdict::Fine, format!("credentials: the token endpoint accepts client `{client_id}`"))
            }
            Err(error @ Error::TokenRefused { .. }) if error.blame() == Blame::Operator => {
                (Verdict::Wrong, format!("credentials of client `{client_id}`: {}", with_causes(&error)))
            }
            Err(error @ Error::TokenRefused { .. }) if error.blame() == Blame::Grant => (
                Verdict::Warning,
                format!("credentials of client `{client_id}`: not known, because {}", with_causes(&error)),
            ),
            Err(error) => (Verdict::Wrong, with_causes(&error)),
            Ok(_) => (Verdict::Wrong, "the token endpoint gave tokens for a code that does not exist".to_owned()),
        };
        survey.say(verdict, text);
    }

    async fn survey_userinfo(&self, metadata: &Metadata, survey: &mut Survey) {
        let (Some(endpoint), Userinfo::Auto) = (&metadata.userinfo_endpoint, self.provider.settings.userinfo) else {
            return;
        };
        self.survey_without_token(Endpoint::Userinfo, "userinfo", endpoint, survey).await;
    }

    async fn survey_graph(&self, survey: &mut Survey) {
        let Some(graph) = &self.provider.settings.graph else { return };
        if graph.wanted.is_empty() {
            survey.say(Verdict::Warning, "Microsoft Graph is never asked: no `authorize` names a group");
            return;
        }
        self.survey_without_token(Endpoint::Groups, "Microsoft Graph", &graph.endpoint, survey).await;
    }

    /// Asks about a made-up token. If the credentials are right, the provider says that it is not active.
    async fn survey_introspection(&self, survey: &mut Survey) {
        if !self.provider.settings.introspects {
            return;
        }
        let token = format!("vestibule-check-{}", octets::token());
        let (verdict, text) = match self.introspect_nothing(&token).await {
            Ok(true) => {
                (Verdict::Fine, "introspection: the provider says of a made-up token that it is not active".to_owned())
            }
            Ok(false) => {
                (Verdict::Wrong, "introspection: the provider says of a made-up token that it is active".to_owned())
            }
            Err(error) => (Verdict::Wrong, format!("introspection: {}", with_causes(&error))),
        };
        survey.say(verdict, text);
    }

    /// Calls an endpoint that needs the access token of a user without one. It is expected to refuse.
    async fn survey_without_token(&self, endpoint: Endpoint, name: &str, url: &Url, survey: &mut Survey) {
        let Ok(request) = get(url) else { return };
        let answer = self.provider.caller.call(endpoint, request).await;
        let mut at = url.clone();
        at.set_query(None);
        let (verdict, text) = match answer {
            Err(error) => (Verdict::Wrong, format!("{name} at {at} did not answer: {}", with_causes(&error))),
            // A request without a token gets no error code (RFC 6750 §3.1).
            Ok(response) if matches!(response.status().as_u16(), 400 | 401 | 403) => {
                (Verdict::Fine, format!("{name}: {at} answers"))
            }
            Ok(response) => {
                let status = response.status();
                (Verdict::Warning, format!("{name} at {at} answered {status} where 401 was expected"))
            }
        };
        survey.say(verdict, text);
    }

    /// The contradictions between the metadata and the configuration.
    pub(crate) fn mismatches(&self, metadata: &Metadata) -> Vec<String> {
        let settings = &self.provider.settings;
        let mut warnings = Vec::new();
        let offers = &metadata.offers;
        let lacks = |offered: &Option<Vec<String>>, usable: &[&str]| {
            offered.as_ref().is_some_and(|offered| !offered.iter().any(|name| usable.contains(&name.as_str())))
        };
        if settings.pkce == Binding::Required && lacks(&offers.pkce_methods, &["S256"]) {
            warnings.push(
                "the provider does not name S256 among its PKCE methods; if sign-ins fail, set `pkce: off`".into(),
            );
        }
        if settings.pkce == Binding::Off && offers.pkce_methods.is_some() && !lacks(&offers.pkce_methods, &["S256"]) {
            warnings.push("the provider supports PKCE, and the file says `pkce: off`".into());
        }
        if settings.introspects
            && metadata.introspection_endpoint.is_none()
            && settings.endpoints.introspection.is_none()
        {
            warnings.push(
                "the provider does not name an introspection endpoint, so tokens are refused that it has to be asked about: set \
                 `introspection_endpoint`"
                    .into(),
            );
        }
        if lacks(&offers.signing_algorithms, &Algorithm::NAMES) {
            let named = offers.signing_algorithms.as_deref().unwrap_or_default().join(", ");
            warnings.push(format!(
                "the provider signs ID tokens with {named} only, and none of these is accepted: set the client to RS256 or \
                 ES256 at the provider"
            ));
        }
        let usable = ["client_secret_basic", "client_secret_post"];
        if settings.client_secret.is_some()
            && settings.token_endpoint_auth_method.is_none()
            && lacks(&offers.client_auth_methods, &usable)
        {
            warnings.push("the provider does not name a way to send a client secret that is supported here".into());
        }
        warnings
    }
}
