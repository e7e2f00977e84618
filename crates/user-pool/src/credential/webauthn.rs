//! Passkeys (WebAuthn Level 3). `webauthn-rs` verifies; its types do not leave this file (decision 95).
//!
//! The authenticator always verifies the user, by a PIN, a finger or a face. Otherwise a passkey alone would prove less than a password and a
//! code together, and what one proves would depend on the browser.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::crypto::octets;

/// Maximum number of passkeys of one user (pool §7.5).
pub(crate) const PER_USER_MAX: usize = 20;
/// Maximum length of the ID of a credential (WebAuthn §7.1, step 25).
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;
/// How long a browser waits for the authenticator, in milliseconds.
const TIMEOUT_MS: u64 = 300_000;

/// The pool as a relying party of WebAuthn.
#[derive(Debug)]
pub struct RelyingParty {
    webauthn: Webauthn,
    id: String,
}

/// The host of the pool cannot have passkeys of this ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relying party ID is neither the host of the issuer nor a domain above")]
pub struct Unusable;

/// Why an answer of an authenticator is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It is not what browsers send.
    #[error("the answer is not one of a browser")]
    Malformed,
    /// The page of the browser was in a frame of another site, or came through one (WebAuthn §7.1 step 10, §7.2 step 13).
    #[error("the answer comes from a page in a frame of another origin")]
    CrossOrigin,
    /// The ID is longer than it may be.
    #[error("the ID of the passkey is too long")]
    TooLong,
    /// The user handle is of another user (WebAuthn §7.2, step 6).
    #[error("the passkey is of another user")]
    OtherUser,
    /// A check of the standard has failed.
    #[error("a check of WebAuthn has failed")]
    Check(#[source] WebauthnError),
}

/// A passkey of a user, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Registered(Passkey);

/// A registration that has begun. It is kept until the answer comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Registration {
    state: PasskeyRegistration,
    /// What the script of the page passes to the browser.
    options: Value,
}

/// A question that has been put to an authenticator. It is kept until the answer comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    state: DiscoverableAuthentication,
    challenge: String,
}

/// An answer that was read and not yet verified.
#[derive(Debug)]
pub(crate) struct Answer(PublicKeyCredential);

/// A verified answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) is_verified: bool,
    /// Whether the passkey may be copied to other devices.
    pub(crate) is_synced: bool,
}

impl Registered {
    /// The ID that the authenticator has given.
    pub(crate) fn credential_id(&self) -> &[u8] {
        self.0.cred_id().as_slice()
    }

    /// Whether it may be copied to other devices. The library tells it only in the form that is stored.
    pub(crate) fn is_synced(&self) -> bool {
        json!(self.0).pointer("/cred/backup_eligible") == Some(&Value::Bool(true))
    }
}

impl Registration {
    /// What the question is remembered by when it was answered.
    pub(crate) fn hash(&self) -> [u8; 32] {
        question_hash(self.options["challenge"].as_str().unwrap_or_default())
    }

    /// `publicKey` of `navigator.credentials.create`, in JSON.
    pub(crate) fn options(&self) -> &Value {
        &self.options
    }
}

impl RelyingParty {
    /// `id` is the host of every one of `origins`, or a domain above. `name` is shown by authenticators.
    ///
    /// # Errors
    ///
    /// [`Unusable`] if it is neither for one of them, if a host is an IP address, or if there are no origins.
    pub fn new<'o>(id: &str, origins: impl IntoIterator<Item = &'o Url>, name: &str) -> Result<Self, Unusable> {
        // The library looks at the host of the first origin only.
        let mut builder = None;
        for origin in origins {
            let alone = WebauthnBuilder::new(id, origin).map_err(|_| Unusable)?;
            builder = Some(match builder {
                None => alone,
                Some(builder) => WebauthnBuilder::append_allowed_origin(builder, origin),
            });
        }
        let builder = builder.ok_or(Unusable)?.rp_name(name);
        Ok(Self { webauthn: builder.build().map_err(|_| Unusable)?, id: id.to_owned() })
    }

    /// Begins a registration. `existing` are the passkeys that the user has.
    ///
    /// # Errors
    ///
    /// [`Refused::Check`] if the library cannot.
    pub(crate) fn register(
        &self,
        subject: &str,
        username: &str,
        existing: &[Registered],
    ) -> Result<Registration, Refused> {
        let exclude = existing.iter().map(|known| known.0.cred_id().clone()).collect();
        let begun = self.webauthn.start_passkey_registration(handle(subject), username, username, Some(exclude));
        let (options, state) = begun.map_err(Refused::Check)?;
        let mut options = json!(options.public_key);
        // A passkey that the authenticator lists by itself signs in without a user name.
        options["authenticatorSelection"]["residentKey"] = "preferred".into();
        options["attestation"] = "none".into();
        if let Some(options) = options.as_object_mut() {
            options.remove("extensions");
        }
        Ok(Registration { state, options })
    }

    /// Verifies the answer to a registration (WebAuthn §7.1).
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn registered(&self, answer: &str, registration: &Registration) -> Result<Registered, Refused> {
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(|_| Refused::Malformed)?;
        check_frame(&answer.response.client_data_json)?;
        let passkey =
            self.webauthn.finish_passkey_registration(&answer, &registration.state).map_err(Refused::Check)?;
        if passkey.cred_id().len() > CREDENTIAL_ID_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        Ok(Registered(passkey))
    }

    /// A new question to an authenticator.
    ///
    /// # Errors
    ///
    /// [`Refused::Check`] if the library cannot.
    pub(crate) fn ask(&self) -> Result<Question, Refused> {
        let (options, state) = self.webauthn.start_discoverable_authentication().map_err(Refused::Check)?;
        let options = json!(options.public_key);
        let challenge = options["challenge"].as_str().ok_or(Refused::Malformed)?.to_owned();
        Ok(Question { state, challenge })
    }

    /// `publicKey` of `navigator.credentials.get`, in JSON. `ids` are the passkeys of the user, in base64url. None of them: those that the
    /// authenticator lists.
    pub(crate) fn options(&self, question: &Question, ids: &[String]) -> Value {
        let allowed: Vec<Value> = ids.iter().map(|id| json!({"type": "public-key", "id": id})).collect();
        json!({
            "challenge": question.challenge,
            "timeout": TIMEOUT_MS,
            "rpId": self.id,
            "allowCredentials": allowed,
            "userVerification": "required",
        })
    }

    /// Verifies an answer (WebAuthn §7.2) of the user with this `sub`, who owns `passkey`. What is new of the passkey is changed in it.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn verify(
        &self,
        answer: &Answer,
        question: Question,
        (subject, passkey): (&str, &mut Registered),
    ) -> Result<Verified, Refused> {
        check_frame(&answer.0.response.client_data_json)?;
        let other_user = answer.0.get_user_unique_id().is_some_and(|told| told != handle(subject).as_bytes());
        if other_user {
            return Err(Refused::OtherUser);
        }
        let result = self.webauthn.finish_discoverable_authentication_v2(&answer.0, question.state, &passkey.0);
        let result = result.map_err(Refused::Check)?;
        passkey.0.update_credential(&result);
        Ok(Verified { is_verified: result.user_verified(), is_synced: result.backup_eligible() })
    }
}

impl Question {
    /// What the question is remembered by when it was answered.
    pub(crate) fn hash(&self) -> [u8; 32] {
        question_hash(&self.challenge)
    }
}

impl Answer {
    /// Reads what the script of a page has sent.
    ///
    /// # Errors
    ///
    /// [`Refused::Malformed`].
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let answer: PublicKeyCredential = serde_json::from_str(text).map_err(|_| Refused::Malformed)?;
        if answer.raw_id.len() > CREDENTIAL_ID_BYTES_MAX { Err(Refused::Malformed) } else { Ok(Self(answer)) }
    }

    /// The ID of the passkey that has answered.
    pub(crate) fn credential_id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    /// Whether the authenticator says whose passkey it is. One that was found without a user name must (WebAuthn §7.2, step 6).
    pub(crate) fn names_user(&self) -> bool {
        self.0.get_user_unique_id().is_some()
    }
}

fn question_hash(challenge: &str) -> [u8; 32] {
    octets::sha256(format!("vestibule passkey challenge {challenge}").as_bytes())
}

/// What authenticators know a user by. It does not tell the `sub`, which is not always of the length that the library wants.
fn handle(subject: &str) -> Uuid {
    let hash = octets::sha256(format!("vestibule passkey user {subject}").as_bytes());
    Uuid::from_bytes(*hash.first_chunk().expect("SHA-256 has 32 bytes"))
}

/// The library checks `crossOrigin` at a registration only.
fn check_frame(client_data: &[u8]) -> Result<(), Refused> {
    let data: Value = serde_json::from_slice(client_data).map_err(|_| Refused::Malformed)?;
    let is_framed = data.get("crossOrigin").is_some_and(|value| *value != Value::Bool(false));
    if is_framed || data.get("topOrigin").is_some() { Err(Refused::CrossOrigin) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests;
