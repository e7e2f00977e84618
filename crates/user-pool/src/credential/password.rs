//! Password hashes: ours are Argon2id (RFC 9106) in PHC format, and those of other systems are verified, too ([`foreign`](super::foreign)).
//! [`Hasher`](super::hasher::Hasher) says when it is done.

use argon2::password_hash::{
    Ident, ParamsString, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Salt, SaltString,
};
use argon2::{Algorithm, Argon2, Params, Version};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::credential::cost::Cost;
use crate::credential::foreign::ForeignHash;
use crate::crypto::octets;
use crate::secret::Secret;

/// The parameters that OWASP recommends first for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The cost of what [`hash`] makes.
pub(crate) const COST: Cost = Cost::Argon2id { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES };

/// Maximum length of a password in bytes. NIST SP 800-63B §3.1.1.2 requires at least 64 characters.
pub const PASSWORD_MAX_BYTES: usize = 1024;

/// Why a hash cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not PHC text.
    #[error("not a password hash in PHC form (`$argon2id$v=19$m=…`)")]
    NotPhc,
    /// PHC text of another algorithm, or without salt or hash.
    #[error("not an Argon2id hash of version 19")]
    NotArgon2id,
    /// None of the forms that users of a database may have.
    #[error(
        "not a password hash that is understood: Argon2id (`$argon2id$v=19$m=…`), bcrypt (`$2b$…`), scrypt (`$scrypt$ln=…`) or PBKDF2-SHA256 \
         (`$pbkdf2-sha256$…`, `pbkdf2_sha256$…`)"
    )]
    Unknown,
    /// More expensive than the maximum.
    #[error("the hash costs more than m=262144 (KiB), t=16, p=8")]
    TooCostly,
    /// The same for a hash of another algorithm.
    #[error("the hash costs too much: at most bcrypt 14, 4,000,000 iterations of PBKDF2, 256 MiB for scrypt")]
    ForeignTooCostly,
}

/// Hashes a password: Argon2id, m=19456, t=2, p=1, in PHC format. Takes tens of milliseconds.
pub fn hash(password: &Secret<String>) -> Secret<String> {
    let salt = SaltString::encode_b64(&octets::random::<16>()).expect("16 bytes are a salt");
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("OWASP's parameters are valid");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let text = normal(password);
    let hash = argon2.hash_password(text.expose().as_bytes(), salt.as_salt()).expect("valid parameters and salt");
    Secret::new(hash.to_string())
}

/// Whether `password` matches the hash. A hash that [`cost`] refuses matches no password.
pub fn verify(hash: &Secret<String>, password: &Secret<String>) -> bool {
    if password.expose().len() > PASSWORD_MAX_BYTES {
        return false;
    }
    let Ok(cost) = cost(hash) else { return false };
    #[cfg(test)]
    tests::note(cost);
    match cost {
        Cost::Argon2id { .. } => verify_argon2id(hash, password),
        _ => ForeignHash::parse(hash.expose()).is_some_and(|hash| verify_foreign(&hash, password)),
    }
}

fn verify_argon2id(hash: &Secret<String>, password: &Secret<String>) -> bool {
    let Ok(hash) = PasswordHash::new(hash.expose()) else { return false };
    Argon2::default().verify_password(normal(password).expose().as_bytes(), &hash).is_ok()
}

/// Other systems have hashed what was typed there. On most keyboards that is the normal form, and then there is only one.
fn verify_foreign(hash: &ForeignHash, password: &Secret<String>) -> bool {
    let normal = normal(password);
    hash.verify(password.expose().as_bytes()) || (normal != *password && hash.verify(normal.expose().as_bytes()))
}

/// Checks that a user of the configuration may have this hash. They have only ours: nothing would replace another one.
///
/// # Errors
///
/// See [`Error`].
pub fn check(hash: &Secret<String>) -> Result<(), Error> {
    argon2id_cost(hash).map(drop)
}

/// The cost of a hash that a user of a database may have.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn cost(hash: &Secret<String>) -> Result<Cost, Error> {
    match argon2id_cost(hash) {
        Err(Error::NotPhc | Error::NotArgon2id) => {}
        known => return known,
    }
    let cost = ForeignHash::parse(hash.expose()).ok_or(Error::Unknown)?.cost;
    if cost.is_bearable() { Ok(cost) } else { Err(Error::ForeignTooCostly) }
}

fn argon2id_cost(hash: &Secret<String>) -> Result<Cost, Error> {
    let hash = PasswordHash::new(hash.expose()).map_err(|_| Error::NotPhc)?;
    let is_complete = hash.salt.is_some() && hash.hash.is_some();
    if hash.algorithm != Ident::new_unwrap("argon2id") || hash.version != Some(19) || !is_complete {
        return Err(Error::NotArgon2id);
    }
    let params = Params::try_from(&hash).map_err(|_| Error::NotArgon2id)?;
    let cost = Cost::Argon2id { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
    if cost.is_bearable() { Ok(cost) } else { Err(Error::TooCostly) }
}

/// Normalizes to NFC (RFC 8265 §4.2.2), because keyboards produce different code points for the same character.
pub(super) fn normal(password: &Secret<String>) -> Secret<String> {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    Secret::new(NFC.normalize(password.expose()).into_owned())
}

/// A hash that matches no password. Its verification takes as long as that of a hash with this cost.
pub(super) enum StandIn {
    Argon2id(Secret<String>),
    Foreign(ForeignHash),
}

impl StandIn {
    /// With random salt and output, so that no known password matches.
    pub(super) fn new(cost: Cost) -> Self {
        ForeignHash::stand_in(cost).map_or_else(|| Self::Argon2id(stand_in(cost)), Self::Foreign)
    }

    pub(super) fn verify(&self, password: &Secret<String>) -> bool {
        match self {
            Self::Argon2id(hash) => verify(hash, password),
            Self::Foreign(_) if password.expose().len() > PASSWORD_MAX_BYTES => false,
            Self::Foreign(hash) => {
                #[cfg(test)]
                tests::note(hash.cost);
                verify_foreign(hash, password)
            }
        }
    }
}

fn stand_in(cost: Cost) -> Secret<String> {
    let (memory, passes, lanes) = match cost {
        Cost::Argon2id { memory_kib, passes, lanes } => (memory_kib, passes, lanes),
        _ => (MEMORY_KIB, PASSES, LANES),
    };
    let salt = SaltString::encode_b64(&octets::random::<16>()).expect("16 bytes are a salt");
    let params = Params::new(memory, passes, lanes, None).expect("the costs of a hash that was read");
    let hash = PasswordHash {
        algorithm: Ident::new_unwrap("argon2id"),
        version: Some(19),
        params: ParamsString::try_from(&params).expect("parameters have a text"),
        salt: Some(Salt::from(&salt)),
        hash: argon2::password_hash::Output::new(&octets::random::<32>()).ok(),
    };
    Secret::new(hash.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
