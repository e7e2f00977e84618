//! Hashes that other systems made: bcrypt, scrypt and PBKDF2 (pool §14.1). They are verified, and never made.
//!
//! | Hash | Form |
//! |---|---|
//! | bcrypt | `$2a$`, `$2b$` or `$2y$`, as everywhere. Like everywhere, only the first 72 bytes of a password count. |
//! | scrypt (RFC 7914) | PHC: `$scrypt$ln=16,r=8,p=1$SALT$HASH` |
//! | PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) | PHC: `$pbkdf2-sha256$i=600000$SALT$HASH`; passlib: the number without `i=`; Django: `pbkdf2_sha256$600000$SALT$HASH` |

use base64::Engine as _;
use base64::alphabet::{BCRYPT, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroize as _;

use crate::credential::cost::Cost;
use crate::crypto::{octets, pbkdf2};

/// What a bcrypt hash has behind its cost.
const BCRYPT_SALT_BYTES: usize = 16;
const BCRYPT_DIGEST_BYTES: usize = 23;
const BCRYPT_SALT_LETTERS: usize = 22;
const BCRYPT_LETTERS: usize = 53;
/// bcrypt sees no more of a password.
const BCRYPT_PASSWORD_MAX: usize = 72;
/// Lengths of salts and of digests. A shorter digest would match many passwords.
const SALT_MAX: usize = 128;
const DIGEST: std::ops::RangeInclusive<usize> = 16..=128;

/// As `STANDARD` and as `./A–Za–z0–9`. Some systems leave bits in the last letter.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BCRYPT64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, LENIENT);

/// A hash and what is needed to compute it again.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ForeignHash {
    pub(super) cost: Cost,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl ForeignHash {
    /// Reads a hash. `None` if it is none of the forms above. Its cost may be unbearable.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let first = parts.next()?;
        let hash = match (first, parts.next()?) {
            ("", "2a" | "2b" | "2y") => bcrypt(parts.next()?, parts.next()?),
            ("", "scrypt") => {
                let cost = scrypt_cost(parts.next()?)?;
                Self::phc(cost, parts.next()?, parts.next()?)
            }
            ("", "pbkdf2-sha256") => {
                let iterations = phc_iterations(parts.next()?)?;
                Self::phc(Cost::Pbkdf2Sha256 { iterations }, parts.next()?, parts.next()?)
            }
            // The salt is the text itself.
            ("pbkdf2_sha256", iterations) => {
                let cost = Cost::Pbkdf2Sha256 { iterations: number(iterations)? };
                let salt = parts.next()?.as_bytes().to_vec();
                Some(Self { cost, salt, digest: BASE64.decode(parts.next()?).ok()? })
            }
            _ => None,
        }?;
        let is_complete = parts.next().is_none() && hash.salt.len() <= SALT_MAX && DIGEST.contains(&hash.digest.len());
        is_complete.then_some(hash)
    }

    /// passlib writes `.` for `+`.
    fn phc(cost: Cost, salt: &str, digest: &str) -> Option<Self> {
        let bytes = |text: &str| BASE64.decode(text.replace('.', "+")).ok();
        Some(Self { cost, salt: bytes(salt)?, digest: bytes(digest)? })
    }

    /// A hash of this cost that matches no known password. `None` for Argon2id.
    pub(super) fn stand_in(cost: Cost) -> Option<Self> {
        let digest = match cost {
            Cost::Argon2id { .. } => return None,
            Cost::Bcrypt { .. } => octets::random::<BCRYPT_DIGEST_BYTES>().to_vec(),
            Cost::Pbkdf2Sha256 { .. } | Cost::Scrypt { .. } => octets::random::<32>().to_vec(),
        };
        Some(Self { cost, salt: octets::random::<BCRYPT_SALT_BYTES>().to_vec(), digest })
    }

    /// Whether `password` matches. A hash of unbearable cost matches none.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        if !self.cost.is_bearable() {
            return false;
        }
        let mut computed = vec![0; self.digest.len()];
        let is_computed = match self.cost {
            Cost::Argon2id { .. } => false,
            Cost::Bcrypt { cost } => self.bcrypt(cost, password, &mut computed).is_some(),
            Cost::Pbkdf2Sha256 { iterations } => {
                pbkdf2::sha256(password, &self.salt, iterations, &mut computed).is_some()
            }
            Cost::Scrypt { log_n, r, p } => scrypt::Params::new(log_n, r, p)
                .is_ok_and(|params| scrypt::scrypt(password, &self.salt, &params, &mut computed).is_ok()),
        };
        let is_right = is_computed && octets::equal(&computed, &self.digest);
        computed.zeroize();
        is_right
    }

    fn bcrypt(&self, cost: u32, password: &[u8], computed: &mut [u8]) -> Option<()> {
        let salt = self.salt.as_slice().try_into().ok()?;
        // A text that ends with a zero byte; the zero byte of a long one is cut off with the rest.
        let mut text = [0; BCRYPT_PASSWORD_MAX];
        let length = password.len().min(BCRYPT_PASSWORD_MAX);
        text[..length].copy_from_slice(&password[..length]);
        let mut output = bcrypt::bcrypt(cost, salt, &text[..(length + 1).min(BCRYPT_PASSWORD_MAX)]);
        computed.copy_from_slice(output.get(..computed.len())?);
        text.zeroize();
        output.zeroize();
        Some(())
    }
}

fn bcrypt(cost: &str, rest: &str) -> Option<ForeignHash> {
    // `05`, never `5` or `+5`.
    let cost = (cost.len() == 2).then(|| number(cost)).flatten()?;
    let (salt, digest) =
        (rest.len() == BCRYPT_LETTERS).then(|| rest.split_at_checked(BCRYPT_SALT_LETTERS)).flatten()?;
    let (salt, digest) = (BCRYPT64.decode(salt).ok()?, BCRYPT64.decode(digest).ok()?);
    let is_bcrypt = salt.len() == BCRYPT_SALT_BYTES && digest.len() == BCRYPT_DIGEST_BYTES;
    is_bcrypt.then_some(ForeignHash { cost: Cost::Bcrypt { cost }, salt, digest })
}

/// `ln=16,r=8,p=1`.
fn scrypt_cost(text: &str) -> Option<Cost> {
    let mut parts = text.split(',');
    let mut next = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=').and_then(number);
    let (log_n, r, p) = (next("ln")?, next("r")?, next("p")?);
    let cost = Cost::Scrypt { log_n: log_n.try_into().ok()?, r, p };
    parts.next().is_none().then_some(cost)
}

/// `i=600000`, `i=600000,l=32` or `600000`.
fn phc_iterations(text: &str) -> Option<u32> {
    let text = text.strip_prefix("i=").unwrap_or(text);
    match text.split_once(",l=") {
        Some((iterations, length)) => number(length).and_then(|_| number(iterations)),
        None => number(text),
    }
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
