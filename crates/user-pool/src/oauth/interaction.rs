//! What an application asks about the sign-in itself: `prompt`, `max_age` and `id_token_hint` (OIDC Core §3.1.2.1).

use crate::clock::Timestamp;
use crate::message::form::Form;
use crate::oauth::error::Error;
use crate::oauth::issuer::Issuer;
use crate::oauth::request::one;
use crate::signin::sso::Session;

/// The parameters that control whether the user is asked to sign in.
pub(super) struct Interaction {
    /// `prompt=none`.
    pub(super) never_ask: bool,
    always_ask: bool,
    /// `max_age`.
    pub(super) max_age_seconds: Option<u64>,
    /// The `sub` of the user that the application wants.
    pub(super) subject: Option<String>,
    /// `prompt`, as it was sent.
    pub(super) prompt: Option<String>,
}

impl Interaction {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// `invalid_request`.
    pub(super) fn read(form: &Form<'_>, issuer: &Issuer, now: Timestamp) -> Result<Self, Error> {
        let prompts: Vec<&str> =
            one(form, "prompt")?.unwrap_or_default().split(' ').filter(|p| !p.is_empty()).collect();
        if prompts.iter().any(|prompt| !["none", "login", "consent", "select_account"].contains(prompt)) {
            return Err(Error::request("prompt has a value that is not known"));
        }
        if prompts.contains(&"none") && prompts.len() > 1 {
            return Err(Error::request("prompt=none stands alone"));
        }
        let max_age = one(form, "max_age")?.map(str::parse).transpose();
        let hint = one(form, "id_token_hint")?;
        let hint = hint.map(|token| {
            issuer
                .read_id_token_hint(token, now)
                .ok_or(Error::request("id_token_hint is not an ID token of this issuer"))
        });
        Ok(Self {
            never_ask: prompts.contains(&"none"),
            always_ask: prompts.iter().any(|prompt| matches!(*prompt, "login" | "select_account")),
            prompt: Some(prompts.join(" ")).filter(|prompt| !prompt.is_empty()),
            max_age_seconds: max_age.map_err(|_| Error::request("max_age is not a number of seconds"))?,
            subject: hint.transpose()?.and_then(|hint| hint.get("sub")?.as_str().map(str::to_owned)),
        })
    }

    /// Whether a user with this session is not asked.
    pub(super) fn is_met_by(&self, session: &Session, now: Timestamp) -> bool {
        let age = session.asked_at().map(|at| now.since(Timestamp::from_seconds(at)).as_secs());
        // `max_age=0` is `prompt=login` (OIDC Core §3.1.2.1, errata 2).
        let is_younger = |max_age| max_age > 0 && age.is_some_and(|age| age <= max_age);
        let is_young = self.max_age_seconds.is_none_or(is_younger);
        let is_wanted = self.subject.as_ref().is_none_or(|subject| *subject == session.subject);
        !self.always_ask && is_young && is_wanted
    }
}
