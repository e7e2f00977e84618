//! One-time passwords of an app on the user's phone (RFC 6238): SHA-1, 30 s, 6 digits, which is what every app knows.
//!
//! Written out instead of taken from a crate, because the crates compute with RustCrypto (decision 95).

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::secret::Secret;

/// RFC 4226 §4: 160 bits are recommended.
const SECRET_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
const DIGITS: usize = 6;
/// How many steps the clock of the phone may be behind or ahead (RFC 6238 §5.2).
const STEPS_OFF: u64 = 1;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What the app and the pool have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seed(Secret<Vec<u8>>);

/// A seed in base32, for values that are sealed.
#[derive(Serialize, Deserialize)]
struct Text(String);

impl Seed {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(Secret::new(octets::random::<SECRET_BYTES>().to_vec()))
    }

    /// What was stored.
    pub(crate) fn from_bytes(bytes: Secret<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// What is stored, encrypted.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    /// In base32 (RFC 4648 §6) without padding, for typing it into an app.
    pub(crate) fn base32(&self) -> Secret<String> {
        let mut text = String::with_capacity(SECRET_BYTES * 8 / 5);
        for chunk in self.0.expose().chunks(5) {
            let mut bits = [0; 8];
            bits[3..3 + chunk.len()].copy_from_slice(chunk);
            let number = u64::from_be_bytes(bits);
            for place in 0..(chunk.len() * 8).div_ceil(5) {
                let digit = number >> (35 - 5 * place) & 31;
                text.push(char::from(BASE32[usize::try_from(digit).expect("five bits")]));
            }
        }
        Secret::new(text)
    }

    fn from_base32(text: &str) -> Option<Self> {
        let (mut bytes, mut number, mut bits) = (Vec::with_capacity(SECRET_BYTES), 0_u32, 0);
        for byte in text.bytes() {
            let digit = BASE32.iter().position(|known| *known == byte)?;
            number = number << 5 | u32::try_from(digit).ok()?;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push((number >> bits & 0xff).try_into().ok()?);
            }
        }
        (bytes.len() == SECRET_BYTES).then(|| Self(Secret::new(bytes)))
    }

    /// The address that apps read from a QR code (Key URI Format of Google Authenticator). `issuer` and `account` are shown in the app.
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> Secret<String> {
        // A colon separates the two, so neither has one.
        let [issuer, account] = [issuer, account].map(|name| {
            let name = name.replace(':', " ");
            percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC).to_string()
        });
        let secret = self.base32();
        Secret::new(format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", secret.expose()))
    }

    /// The step whose code was typed, if it is one of now. The same step must not be taken twice: the caller remembers the last one.
    pub(crate) fn step_of(&self, typed: &str, now: Timestamp) -> Option<u64> {
        let typed: Vec<u8> = typed.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let current = now.seconds() / STEP_SECONDS;
        // All are compared, so that the time does not tell which was near.
        let mut found = None;
        for step in current.saturating_sub(STEPS_OFF)..=current + STEPS_OFF {
            if octets::equal(self.code(step).as_bytes(), &typed) {
                found = Some(step);
            }
        }
        found
    }

    /// The code of a step (RFC 4226 §5.3).
    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.expose());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 15);
        let number = u32::from_be_bytes(tag[offset..offset + 4].try_into().expect("four bytes")) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// The code of now.
    #[cfg(test)]
    pub(crate) fn code_at(&self, now: Timestamp) -> String {
        self.code(now.seconds() / STEP_SECONDS)
    }
}

/// Whether a text has the form of a code. Other texts are no attempt.
pub(crate) fn is_code(typed: &str) -> bool {
    let digits: Vec<u8> = typed.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit)
}

impl Serialize for Seed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Text(self.base32().expose().clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Self::from_base32(&text).ok_or_else(|| serde::de::Error::custom("not a seed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc() -> Seed {
        Seed::from_bytes(Secret::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1: the last six of eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = Timestamp::from_seconds(seconds);
            assert_eq!(rfc().code_at(now), code);
            assert_eq!(rfc().step_of(code, now), Some(seconds / 30));
        }
    }

    #[test]
    fn codes_are_those_of_rfc_4226() {
        // Appendix D.
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, code) in (0..).zip(codes) {
            assert_eq!(rfc().code(counter), code);
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after() {
        let (seed, start) = (rfc(), 1_111_111_110);
        let code = seed.code_at(Timestamp::from_seconds(start));
        let good = |seconds| seed.step_of(&code, Timestamp::from_seconds(seconds)) == Some(start / 30);
        assert!(good(start - 30) && good(start) && good(start + 59));
        assert!(!good(start - 31) && !good(start + 60));
        assert_eq!(
            seed.step_of(&format!(" {} {} ", &code[..3], &code[3..]), Timestamp::from_seconds(start)),
            Some(start / 30)
        );
        for typed in ["", "0", &code[..5], &format!("{code}0")] {
            assert_eq!(seed.step_of(typed, Timestamp::from_seconds(start)), None, "{typed}");
        }
    }

    #[test]
    fn what_looks_like_no_code_is_none() {
        assert!(is_code("123 456") && is_code("000000"));
        assert!(
            !is_code("") && !is_code("12345") && !is_code("1234567") && !is_code("12345a") && !is_code("１２３４５６")
        );
    }

    #[test]
    fn the_secret_is_written_in_base32() {
        // RFC 4648 §10 has no 160 bits; this is coreutils' `base32`.
        assert_eq!(rfc().base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let seed = Seed::random();
        assert_eq!(seed.base32().expose().len(), 32);
        assert_eq!(Seed::from_base32(seed.base32().expose()), Some(seed));
        for text in ["", "GEZDGNBVGY3TQOJQ", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq", "1EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"] {
            assert_eq!(Seed::from_base32(text), None, "{text}");
        }
    }

    #[test]
    fn an_app_is_told_whose_secret_it_is() {
        let uri = rfc().uri("Example: people", "ada@example.com");
        let expected = "otpauth://totp/Example%20%20people:ada%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example%20%20people";
        assert_eq!(uri.expose(), expected);
        assert!(!format!("{:?}", rfc()).contains("GEZD"));
    }
}
