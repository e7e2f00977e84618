//! What users may do without an administrator.

use serde::{Deserialize, Serialize};

/// Sign-up and recovery of one pool. The default allows neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `None`: administrators add users.
    pub sign_up: Option<SignUp>,
    /// Where codes go with which a password is replaced, in order of preference. Empty: administrators set passwords.
    pub recovery: Vec<Address>,
}

/// Who may sign up, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignUp {
    /// Domains of e-mail addresses in lower case. Empty: all.
    pub allowed_domains: Vec<String>,
    /// What has to be confirmed with a code. The first that the user has gives it. Empty: administrators confirm users.
    pub verify: Vec<Address>,
}

/// Where a code can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    Email,
    PhoneNumber,
}

impl Address {
    /// The attribute with it.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::PhoneNumber => "phone_number",
        }
    }
}

impl SignUp {
    /// Whether somebody with this e-mail address may sign up.
    pub(crate) fn allows(&self, email: Option<&str>) -> bool {
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        self.allowed_domains.is_empty() || domain.is_some_and(|domain| self.allowed_domains.contains(&domain))
    }
}
