//! The pages of the account: what users see and change of themselves.

use http::Method;
use serde::{Deserialize, Serialize};

/// A page of the account, or the target of a form of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Section {
    Overview,
    Password,
    Profile,
    Email,
    /// Takes the code that was sent to an e-mail address.
    EmailCode,
    /// The target of the form that asks for another one.
    EmailAgain,
    Phone,
    /// Takes the code that was sent to a phone number.
    PhoneCode,
    /// The target of the form that asks for another one.
    PhoneAgain,
    /// The target of the form that removes the phone number.
    PhoneRemove,
    /// Where the user is signed in.
    Sessions,
    /// What the user has done.
    History,
    Export,
    Delete,
    /// Second factors, passkeys, recovery codes and trusted browsers.
    Factors,
    /// Sets up an app for one-time passwords.
    App,
    /// Adds a passkey.
    Passkey,
    /// Shows new recovery codes.
    RecoveryCodes,
}

/// What a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// It is a page without a form of its own.
    Reading,
    /// It is a page, and the target of its form.
    Both,
    /// It is the target of a form of another page.
    Form,
}

impl Section {
    const ALL: [Self; 18] = [
        Self::Overview,
        Self::Password,
        Self::Profile,
        Self::Email,
        Self::EmailCode,
        Self::EmailAgain,
        Self::Phone,
        Self::PhoneCode,
        Self::PhoneAgain,
        Self::PhoneRemove,
        Self::Sessions,
        Self::History,
        Self::Export,
        Self::Delete,
        Self::Factors,
        Self::App,
        Self::Passkey,
        Self::RecoveryCodes,
    ];

    /// Its address.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/account",
            Self::Password => "/account/password",
            Self::Profile => "/account/profile",
            Self::Email => "/account/email",
            Self::EmailCode => "/account/email/code",
            Self::EmailAgain => "/account/email/again",
            Self::Phone => "/account/phone",
            Self::PhoneCode => "/account/phone/code",
            Self::PhoneAgain => "/account/phone/again",
            Self::PhoneRemove => "/account/phone/remove",
            Self::Sessions => "/account/sessions",
            Self::History => "/account/history",
            Self::Export => "/account/export",
            Self::Delete => "/account/delete",
            Self::Factors => "/account/factors",
            Self::App => "/account/app",
            Self::Passkey => "/account/passkey",
            Self::RecoveryCodes => "/account/recovery-codes",
        }
    }

    /// The page that has the form: where its visitor comes back to.
    pub(crate) const fn page(self) -> Self {
        match self {
            Self::EmailAgain => Self::EmailCode,
            Self::PhoneAgain => Self::PhoneCode,
            Self::PhoneRemove => Self::Phone,
            page => page,
        }
    }

    const fn takes(self) -> Takes {
        match self {
            Self::Overview | Self::History => Takes::Reading,
            Self::EmailAgain | Self::PhoneAgain | Self::PhoneRemove => Takes::Form,
            Self::Password
            | Self::Profile
            | Self::Email
            | Self::EmailCode
            | Self::Phone
            | Self::PhoneCode
            | Self::Sessions
            | Self::Export
            | Self::Delete
            | Self::Factors
            | Self::App
            | Self::Passkey
            | Self::RecoveryCodes => Takes::Both,
        }
    }

    /// The one with this path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.path() == path)
    }

    /// The page with this path. Only such a page is returned to after a sign-in.
    pub(crate) fn page_of(path: &str) -> Option<Self> {
        Self::of(path).filter(|section| section.page() == *section)
    }

    /// Whether a request with this method sends its form.
    ///
    /// # Errors
    ///
    /// The methods that it has.
    pub(super) fn is_form(self, method: &Method) -> Result<bool, &'static str> {
        let (reads, posts) = (method == Method::GET || method == Method::HEAD, method == Method::POST);
        match self.takes() {
            Takes::Reading if reads => Ok(false),
            Takes::Reading => Err("GET, HEAD"),
            Takes::Both if reads || posts => Ok(posts),
            Takes::Both => Err("GET, HEAD, POST"),
            Takes::Form if posts => Ok(true),
            Takes::Form => Err("POST"),
        }
    }
}
