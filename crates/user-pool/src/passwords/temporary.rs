//! Temporary passwords, which an administrator gives to a user (pool §2.4).

use crate::clock::Timestamp;
use crate::credential::policy::{AboutUser, PasswordPolicy};
use crate::crypto::octets;
use crate::directory::attribute::Attributes;
use crate::directory::record::Record;
use crate::passwords::first::FirstPassword;
use crate::passwords::set::{Error, Lasting, Passwords, WasSet, about};
use crate::secret::Secret;

/// Letters and digits that nobody takes for another.
const LETTERS: &[u8; 55] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Letters between two hyphens, and how many such groups there are at least: 115 random bits.
const GROUP: usize = 5;
const GROUPS_MIN: usize = 4;

impl Passwords {
    /// A temporary password for a new user.
    ///
    /// # Errors
    ///
    /// As [`first`](Self::first).
    pub async fn first_temporary(
        &self,
        username: &str,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<(Secret<String>, FirstPassword), Error> {
        let password = generate(&self.policy, &about(username, attributes));
        let first = self.first(username, attributes, password.clone(), self.temporary(now)).await?;
        Ok((password, first))
    }

    /// Sets a temporary password of a user. What was issued before ends.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub async fn set_temporary(&self, user: &Record, now: Timestamp) -> Result<(Secret<String>, WasSet), Error> {
        let password = generate(&self.policy, &about(&user.username, &user.attributes));
        let set = self.set(user, password.clone(), self.temporary(now), now).await?;
        Ok((password, set))
    }

    /// For a temporary password that is set now.
    fn temporary(&self, now: Timestamp) -> Lasting {
        Lasting::Until(self.temporary_until(now))
    }

    /// Until when a temporary password is good that is set now.
    pub(crate) fn temporary_until(&self, now: Timestamp) -> Timestamp {
        now + self.policy.temporary_validity
    }
}

/// A random password that meets the policy.
fn generate(policy: &PasswordPolicy, about: &AboutUser) -> Secret<String> {
    // A group and its hyphen are six letters. The last group has no hyphen.
    let groups = (policy.min_length + 1).div_ceil(GROUP + 1).max(GROUPS_MIN);
    loop {
        let groups: Vec<String> = (0..groups).map(|_| (0..GROUP).map(|_| letter()).collect()).collect();
        let password = Secret::new(groups.join("-"));
        // By chance, a class may be missing, or a name may be in it.
        if policy.check(&password, about).is_ok() {
            return password;
        }
    }
}

/// A random letter, each as likely as any other.
fn letter() -> char {
    loop {
        let [byte] = octets::random::<1>();
        // 220 is four times 55.
        if byte < 220 {
            return LETTERS[usize::from(byte) % LETTERS.len()].into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::policy::Class;

    #[test]
    fn a_generated_password_meets_every_policy() {
        let about = AboutUser { username: "ada".into(), email: None, names: vec!["Grace Hopper".into()] };
        let classes = vec![Class::Uppercase, Class::Lowercase, Class::Digit, Class::Symbol];
        let mut seen = std::collections::BTreeSet::new();
        for min_length in [6, 12, 23, 24, 99] {
            for required in [vec![], classes.clone()] {
                let policy = PasswordPolicy { min_length, required, ..PasswordPolicy::modern() };
                for _ in 0..20 {
                    let password = generate(&policy, &about);
                    assert_eq!(policy.check(&password, &about), Ok(()));
                    assert!(password.expose().len() >= 23);
                    assert!(seen.insert(password.expose().clone()));
                }
            }
        }
    }

    #[test]
    fn each_letter_occurs() {
        let seen: std::collections::BTreeSet<char> = (0..5000).map(|_| letter()).collect();
        assert_eq!(seen.len(), LETTERS.len());
        assert!(!seen.iter().any(|letter| "0O1lIio".contains(*letter)));
    }
}
