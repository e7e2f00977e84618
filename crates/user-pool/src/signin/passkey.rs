//! Signs in with passkeys, and adds them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::credential::recovery_code;
use crate::credential::webauthn::{self, Question, Registered, Registration, RelyingParty};
use crate::database::{self, Transaction};
use crate::directory::status::Status;
use crate::directory::user::User;
use crate::events::audit::{Actor, AuditRows, Done};
use crate::factors::passkeys::Added;
use crate::message::causes::with_causes;
use crate::messages::message::Kind;
use crate::secret::Secret;
use crate::signin::password::SignIn;
use crate::signin::proof::Proof;
use crate::signin::second::Second;
use crate::signin::step::{Step, UnderWay};

/// What became of a passkey that a user adds.
#[derive(Debug)]
pub(crate) enum NewPasskey {
    /// It is added, which proves it. The recovery codes are new; there are none if the user has some already.
    Added(Proof, Vec<Secret<String>>),
    /// The answer is refused, or the passkey is there already.
    Refused,
    /// The user has as many as a user may have.
    TooMany,
    /// The user has another password, is disabled, or does not exist any more.
    Over,
}

/// Whose passkey may answer.
#[derive(Clone, Copy, Debug)]
enum Owner<'a> {
    /// The authenticator says it.
    Anybody,
    This(&'a str),
}

impl SignIn {
    fn passkeys(&self) -> Option<(&Second, &Arc<RelyingParty>)> {
        let second = self.second.as_ref()?;
        Some((second, second.relying_party.as_ref()?))
    }

    /// A question for an authenticator. `None` if the pool has no passkeys.
    pub(crate) fn ask_passkey(&self) -> Option<Question> {
        self.passkeys()?.1.ask().ok()
    }

    /// What the script of a page passes to the browser. `ids` are the passkeys that may answer; none of them: any.
    pub(crate) fn passkey_options(&self, question: &Question, ids: &[String]) -> Option<Value> {
        Some(self.passkeys()?.1.options(question, ids))
    }

    /// The IDs of the passkeys of a user, in base64url.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn passkey_ids(&self, subject: &str) -> Result<Vec<String>, database::Error> {
        let Some((second, _)) = self.passkeys() else { return Ok(Vec::new()) };
        let (factors, subject) = (second.factors.clone(), subject.to_owned());
        let passkeys = second.database.read(move |on| factors.passkeys(on, &subject)).await?;
        Ok(passkeys.iter().map(|passkey| URL_SAFE_NO_PAD.encode(passkey.registered.credential_id())).collect())
    }

    /// Signs in with a passkey alone. `None` if the answer is refused, or was given before.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn passkey(
        &self,
        answer: &str,
        question: Question,
    ) -> Result<Option<(Arc<User>, Proof)>, database::Error> {
        let Some((subject, proof)) = self.answered(answer, question, Owner::Anybody).await? else { return Ok(None) };
        let user = self.directory.user_of_subject(&subject).await?;
        // Somebody whom another provider does not let in any more must not come in beside it.
        let user = user.filter(|user| user.status() != Status::ExternalProvider);
        Ok(user.map(|user| (user, proof)))
    }

    /// Proves a passkey as a second factor. `None` if the answer is refused, or was given before.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn second_passkey(
        &self,
        under_way: &UnderWay,
        answer: &str,
        question: Question,
    ) -> Result<Option<Proof>, database::Error> {
        Ok(self.answered(answer, question, Owner::This(&under_way.subject)).await?.map(|(_, proof)| proof))
    }

    async fn answered(
        &self,
        answer: &str,
        question: Question,
        owner: Owner<'_>,
    ) -> Result<Option<(String, Proof)>, database::Error> {
        let Some((second, party)) = self.passkeys() else { return Ok(None) };
        let Ok(answer) = webauthn::Answer::parse(answer) else { return Ok(None) };
        let (factors, id) = (second.factors.clone(), answer.credential_id().to_owned());
        let Some(passkey) = second.database.read(move |on| factors.passkey(on, &id)).await? else { return Ok(None) };
        let is_owner = match owner {
            Owner::Anybody => answer.names_user(),
            Owner::This(subject) => passkey.subject == subject,
        };
        if !is_owner {
            return Ok(None);
        }
        let (hash, now) = (question.hash(), self.clock.now());
        let mut registered = passkey.registered.clone();
        let verified = match party.verify(&answer, question, (&passkey.subject, &mut registered)) {
            Ok(verified) => verified,
            Err(refused) => {
                tracing::debug!(error = with_causes(&refused), "a passkey is refused");
                return Ok(None);
            }
        };
        let factors = second.factors.clone();
        let subject = passkey.subject.clone();
        let taken = second.database.write(move |on| factors.take_answer(on, &passkey, &registered, &hash, now)).await?;
        let proof = Proof::Passkey { is_verified: verified.is_verified, is_synced: verified.is_synced };
        Ok(taken.then_some((subject, proof)))
    }

    /// Begins to add a passkey for a user. `None` if the pool has no passkeys.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn begin_passkey(
        &self,
        subject: &str,
        username: &str,
    ) -> Result<Option<Registration>, database::Error> {
        let Some((second, party)) = self.passkeys() else { return Ok(None) };
        let (factors, key) = (second.factors.clone(), subject.to_owned());
        let existing = second.database.read(move |on| factors.passkeys(on, &key)).await?;
        let existing: Vec<_> = existing.into_iter().map(|passkey| passkey.registered).collect();
        Ok(party.register(subject, username, &existing).ok())
    }

    /// Whether users can have passkeys.
    pub(crate) fn has_passkeys(&self) -> bool {
        self.passkeys().is_some()
    }

    /// Whether a passkey signs in without a password.
    pub(crate) fn passkey_is_first(&self) -> bool {
        self.passkeys().is_some_and(|(second, _)| second.settings.passkey_is_first)
    }

    /// Adds the passkey that has answered, for a user who must have a second factor and has none.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn add_first_passkey(
        &self,
        under_way: &UnderWay,
        answer: &str,
        registration: &Registration,
    ) -> Result<NewPasskey, database::Error> {
        let Some((_, Step::SetUp(_))) = self.next(under_way).await? else { return Ok(NewPasskey::Over) };
        let Some((second, _)) = self.passkeys() else { return Ok(NewPasskey::Over) };
        let Some(verified) = self.verify_new_passkey(answer, registration) else { return Ok(NewPasskey::Refused) };
        let (of, subject, now) = (second.clone(), under_way.subject.clone(), self.clock.now());
        let work = move |on: &mut Transaction<'_>| {
            // Two pages of one sign-in: the second must not add to what the first has set up.
            if of.settings.has_one_of(&of.factors.of(on, &subject)?.factors) {
                return Ok(NewPasskey::Over);
            }
            verified.add(on, &of, &subject, now)
        };
        second.database.write(work).await
    }

    /// Verifies the answer of an authenticator that has made a passkey. `None` if it is refused.
    pub(crate) fn verify_new_passkey(&self, answer: &str, registration: &Registration) -> Option<VerifiedPasskey> {
        let (_, party) = self.passkeys()?;
        match party.registered(answer, registration) {
            Ok(registered) => {
                Some(VerifiedPasskey { registered, question: registration.hash(), codes: recovery_code::make() })
            }
            Err(refused) => {
                tracing::debug!(error = with_causes(&refused), "a new passkey is refused");
                None
            }
        }
    }
}

/// A new passkey whose answer was verified, and recovery codes in case the user has none. Made before the transaction.
#[derive(Debug)]
pub(crate) struct VerifiedPasskey {
    registered: Registered,
    question: [u8; 32],
    codes: Vec<Secret<String>>,
}

impl VerifiedPasskey {
    /// Adds it to a user, who is told.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn add(
        self,
        on: &mut Transaction<'_>,
        of: &Second,
        subject: &str,
        now: Timestamp,
    ) -> Result<NewPasskey, database::Error> {
        match of.factors.add_passkey(on, subject, &self.registered, &self.question, now)? {
            Added::TooMany => return Ok(NewPasskey::TooMany),
            Added::Before => return Ok(NewPasskey::Refused),
            Added::Yes => of.tell(on, Kind::FactorAdded, subject, now)?,
        }
        let done = Done { operation: "factor.add", subject: Some(subject), detail: Some("passkey") };
        AuditRows { pool: Arc::clone(&of.factors.pool) }.record(on, &Actor::User, done, now)?;
        // The authenticator has verified the user: the registration is refused otherwise.
        let proof = Proof::Passkey { is_verified: true, is_synced: self.registered.is_synced() };
        if of.factors.of(on, subject)?.recovery_codes > 0 {
            return Ok(NewPasskey::Added(proof, Vec::new()));
        }
        of.factors.set_recovery_codes(on, subject, &recovery_code::hashes(&self.codes))?;
        Ok(NewPasskey::Added(proof, self.codes))
    }
}
