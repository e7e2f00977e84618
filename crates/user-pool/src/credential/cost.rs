//! What it costs to verify a password hash.

use std::fmt;
use std::str::FromStr;

/// The algorithm of a hash, and its work. The text form is that of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// Memory in KiB.
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
    /// The logarithm of the number of rounds.
    Bcrypt {
        cost: u32,
    },
    Pbkdf2Sha256 {
        iterations: u32,
    },
    /// RFC 7914 §2: `N` is `1 << log_n`.
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
    },
}

/// The most that is verified, so that no hash that somebody brings along stalls a core for more than a few seconds or takes more than 256 MiB.
const ARGON2_MEMORY_MAX_KIB: u32 = 262_144;
const ARGON2_PASSES_MAX: u32 = 16;
const ARGON2_LANES_MAX: u32 = 8;
const BCRYPT_COST_MAX: u32 = 14;
/// Django's default has passed a million.
const PBKDF2_ITERATIONS_MAX: u32 = 4_000_000;
const SCRYPT_MEMORY_MAX: u128 = 256 << 20;
/// Bytes that are written and read: `128 · N · r · p`.
const SCRYPT_WORK_MAX: u128 = 512 << 20;

impl Cost {
    /// Whether a sign-in may cost so much.
    pub(crate) fn is_bearable(self) -> bool {
        match self {
            Self::Argon2id { memory_kib, passes, lanes } => {
                memory_kib <= ARGON2_MEMORY_MAX_KIB && passes <= ARGON2_PASSES_MAX && lanes <= ARGON2_LANES_MAX
            }
            Self::Bcrypt { cost } => (4..=BCRYPT_COST_MAX).contains(&cost),
            Self::Pbkdf2Sha256 { iterations } => (1..=PBKDF2_ITERATIONS_MAX).contains(&iterations),
            Self::Scrypt { log_n, r, p } => {
                let memory = (u128::from(r) * 128) << log_n.min(63);
                (1..64).contains(&log_n)
                    && r > 0
                    && p > 0
                    && memory <= SCRYPT_MEMORY_MAX
                    && memory * u128::from(p) <= SCRYPT_WORK_MAX
            }
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id { memory_kib, passes, lanes } => write!(f, "argon2id {memory_kib} {passes} {lanes}"),
            Self::Bcrypt { cost } => write!(f, "bcrypt {cost}"),
            Self::Pbkdf2Sha256 { iterations } => write!(f, "pbkdf2-sha256 {iterations}"),
            Self::Scrypt { log_n, r, p } => write!(f, "scrypt {log_n} {r} {p}"),
        }
    }
}

/// The text is not that of a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl FromStr for Cost {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut words = text.split(' ');
        let algorithm = words.next().unwrap_or_default();
        let numbers: Vec<u32> = words.map(str::parse).collect::<Result<_, _>>().map_err(|_| Malformed)?;
        let cost = match (algorithm, &numbers[..]) {
            ("argon2id", &[memory_kib, passes, lanes]) => Self::Argon2id { memory_kib, passes, lanes },
            ("bcrypt", &[cost]) => Self::Bcrypt { cost },
            ("pbkdf2-sha256", &[iterations]) => Self::Pbkdf2Sha256 { iterations },
            ("scrypt", &[log_n, r, p]) => Self::Scrypt { log_n: log_n.try_into().map_err(|_| Malformed)?, r, p },
            _ => return Err(Malformed),
        };
        if cost.is_bearable() { Ok(cost) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_as_it_is_written() {
        for cost in [
            Cost::Argon2id { memory_kib: 19_456, passes: 2, lanes: 1 },
            Cost::Bcrypt { cost: 12 },
            Cost::Pbkdf2Sha256 { iterations: 600_000 },
            Cost::Scrypt { log_n: 17, r: 8, p: 1 },
        ] {
            assert_eq!(cost.to_string().parse(), Ok(cost), "{cost}");
        }
        for other in ["", "bcrypt", "bcrypt 12 1", "bcrypt x", "bcrypt 31", "scrypt 300 8 1", "md5 1"] {
            assert_eq!(other.parse::<Cost>(), Err(Malformed), "{other}");
        }
    }

    #[test]
    fn what_would_stall_the_machine_is_not_bearable() {
        let scrypt = |log_n, r, p| Cost::Scrypt { log_n, r, p };
        // OWASP's five, and Firebase's.
        for cost in [
            scrypt(17, 8, 1),
            scrypt(16, 8, 2),
            scrypt(15, 8, 3),
            scrypt(14, 8, 5),
            scrypt(13, 8, 10),
            scrypt(14, 8, 1),
        ] {
            assert!(cost.is_bearable(), "{cost}");
        }
        for cost in [
            scrypt(19, 8, 1),
            scrypt(10, 8, 1 << 20),
            scrypt(1, u32::MAX, 1),
            scrypt(63, 1, 1),
            scrypt(255, 1, 1),
            scrypt(14, 0, 1),
            scrypt(14, 8, 0),
            scrypt(0, 8, 1),
            Cost::Bcrypt { cost: 3 },
            Cost::Bcrypt { cost: 15 },
            Cost::Pbkdf2Sha256 { iterations: 0 },
            Cost::Pbkdf2Sha256 { iterations: u32::MAX },
            Cost::Argon2id { memory_kib: 262_145, passes: 1, lanes: 1 },
            Cost::Argon2id { memory_kib: 64, passes: 17, lanes: 1 },
            Cost::Argon2id { memory_kib: 64, passes: 1, lanes: 9 },
        ] {
            assert!(!cost.is_bearable(), "{cost}");
        }
    }
}
