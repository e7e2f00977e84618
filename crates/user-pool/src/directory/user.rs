//! A user.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::directory::name::UserName;
use crate::directory::record::{ExternalIdentity, Record};
use crate::directory::status::Status;
use crate::identity::Claims;
use crate::secret::Secret;
use crate::settings::UserSettings;

/// A user of the pool.
#[derive(Debug)]
pub(crate) struct User {
    name: UserName,
    subject: String,
    preferred_username: String,
    shown_name: String,
    password_hash: Option<Secret<String>>,
    fingerprint: String,
    first_auth_time: u64,
    /// Whether the user is in a database, not in the configuration.
    is_stored: bool,
    temporary_until: Option<Timestamp>,
    is_enabled: bool,
    status: Status,
    identities: Vec<ExternalIdentity>,
    claims: Claims,
}

impl User {
    /// Creates a user of the configuration. `None` if the name is invalid; the configuration was validated before.
    pub(crate) fn new(settings: UserSettings) -> Option<Self> {
        Some(Self {
            name: UserName::parse(&settings.username)?,
            subject: settings.subject,
            preferred_username: settings.username.trim().to_owned(),
            shown_name: settings.username.trim().to_owned(),
            fingerprint: fingerprint(settings.password_hash.expose().as_bytes()),
            password_hash: Some(settings.password_hash),
            first_auth_time: 0,
            is_stored: false,
            temporary_until: None,
            is_enabled: true,
            status: Status::Confirmed,
            identities: Vec::new(),
            claims: settings.claims,
        })
    }

    /// A user of the database. `None` if the name is invalid; it was parsed before it was stored.
    pub(crate) fn stored(record: Record) -> Option<Self> {
        let (mut claims, shown_name) = (record.attributes.claims(), record.shown_name().to_owned());
        // The name of the user is the claim, also if the attribute differs: rules and applications know users by it.
        claims.remove("preferred_username");
        if !record.groups.is_empty() {
            claims.insert("groups".into(), record.groups.into());
        }
        // Not the hash itself: a hash of another system is replaced by one of ours, and no session ends by that.
        let set_at = record.password_set_at.map_or(0, Timestamp::millis);
        Some(Self {
            name: UserName::parse(&record.username)?,
            shown_name,
            subject: record.subject,
            preferred_username: record.username,
            fingerprint: fingerprint(format!("{} {set_at}", record.epoch).as_bytes()),
            is_stored: true,
            temporary_until: record.temporary_until,
            password_hash: record.password_hash,
            first_auth_time: record.epoch.try_into().unwrap_or_default(),
            is_enabled: record.is_enabled,
            status: record.status,
            identities: record.identities,
            claims,
        })
    }

    /// The user name in canonical form.
    pub(crate) fn name(&self) -> &UserName {
        &self.name
    }

    /// `sub`.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// The name as written in the configuration, or as it was typed when the user was added.
    pub(crate) fn preferred_username(&self) -> &str {
        &self.preferred_username
    }

    /// What pages call the user: the name, or the address where users have no other name.
    pub(crate) fn shown_name(&self) -> &str {
        &self.shown_name
    }

    /// Argon2id, in PHC form, or the hash of another system. `None`: the user has no password.
    pub(crate) fn password_hash(&self) -> Option<&Secret<String>> {
        self.password_hash.as_ref()
    }

    /// Whether the user is in a database, not in the configuration.
    pub(crate) fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Whether the password is a temporary one whose time is over. It is as wrong as any other then (pool §2.4).
    pub(crate) fn has_expired_password(&self, now: Timestamp) -> bool {
        self.temporary_until.is_some_and(|until| until <= now)
    }

    /// Whether the user may sign in, and use what was issued before.
    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// What the user has to do first. Only who knows the password may learn it.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Whom the user is at other providers.
    pub(crate) fn identities(&self) -> &[ExternalIdentity] {
        &self.identities
    }

    /// Whether sessions and tokens of the user may count.
    pub(crate) fn may_have_sessions(&self) -> bool {
        self.is_enabled && self.status.may_have_sessions()
    }

    /// Changes with the password, and when all sessions of the user are ended. Sessions and tokens with another fingerprint are no longer valid.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The first second that a sign-in may have as its `auth_time`: those before have ended.
    pub(crate) fn first_auth_time(&self) -> u64 {
        self.first_auth_time
    }

    /// The groups of the user: those of the database, or of the claim.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        let groups = self.claims.get("groups").and_then(serde_json::Value::as_array);
        groups.into_iter().flatten().filter_map(serde_json::Value::as_str)
    }

    /// An address that was verified: `email` or `phone_number`.
    pub(crate) fn verified(&self, address: &str) -> Option<&str> {
        let is_verified = self.claims.get(&format!("{address}_verified")) == Some(&serde_json::Value::Bool(true));
        self.claims.get(address).and_then(serde_json::Value::as_str).filter(|_| is_verified)
    }

    /// The claims of the user: those of the configuration, or the stored attributes and groups.
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }
}

fn fingerprint(credential: &[u8]) -> String {
    let hash = octets::sha256(&[b"vestibule pool credential\0", credential].concat());
    URL_SAFE_NO_PAD.encode(&hash[..12])
}
