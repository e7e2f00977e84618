//! Encrypts the values that clients send back to the pool: cookies, the hidden values of forms, codes and tokens.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crypto::aead::Key;
use crate::crypto::sealed::{Context, Sealer};

/// The purpose of a sealed value. A value that was sealed for one purpose cannot be opened for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The authorization request in the sign-in form.
    SignIn,
    /// The question to an authenticator on the sign-in page.
    Passkey,
    /// The page that sends a code to sign in with.
    EmailCode,
    /// The page that takes that code.
    EmailCodeAnswer,
    /// A sign-in between the first factor and the session.
    Step,
    /// The return address in the form that asks whether to sign out.
    SignOut,
    /// The authorization request in the form that asks for a confirmation.
    Confirmation,
    /// An authorization request, in links from one page of ours to another.
    Request,
    /// The page to sign up on.
    SignUp,
    /// The page that takes the code of a sign-up.
    Verify,
    /// The page of a link that confirms a sign-up.
    ConfirmUser,
    /// The page that sends a code for another password.
    ForgotPassword,
    /// The page that takes that code.
    ResetPassword,
    /// The page on which a temporary password is changed.
    NewPassword,
    /// A page of the account, and its form.
    Account,
    /// The result of a form, in the address of the page that shows it.
    FormResult,
    /// The authorization request, for an own sign-in page.
    LoginHandle,
    /// Who has typed the password on an own sign-in page.
    LoginTicket,
    /// Why a form was refused, in the address of the page that says so.
    FormRefusal,
    /// The name that was typed before the password, in the address of the page that asks for the password.
    NamedSignIn,
    /// The cookie of a sign-in at another provider.
    ProviderSignIn,
    /// Why a sign-in at another provider could not begin, in the address of the page that says so.
    ProviderRefusal,
    /// The pool's own single-sign-on cookie.
    SingleSignOn,
    /// The cookie of a known browser.
    KnownBrowser,
    /// An authorization code.
    Code,
    /// An answer that is sent by a form.
    FormPost,
    /// A refresh token.
    RefreshToken,
    /// The part of an access token that only this pool can read.
    AccessToken,
}

/// The pool's sealing keys. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    sealer: Sealer,
    issuer: Arc<str>,
}

impl Seal {
    /// The first key encrypts; every key can decrypt. There must be at least one key.
    pub(crate) fn new(keys: Arc<[Key]>, issuer: Arc<str>) -> Self {
        Self { sealer: Sealer::new(keys), issuer }
    }

    /// Seals `value`. Only this issuer can open the text, and only for this purpose.
    pub(crate) fn seal(&self, purpose: Purpose, value: &impl Serialize) -> String {
        self.sealer.seal(&self.context(purpose), value)
    }

    /// Opens a value that [`seal`](Self::seal) sealed. `None` for any other text.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        self.sealer.open(&self.context(purpose), text.as_bytes()).ok()
    }

    /// What a value is for. It contains the issuer, because two pools of one process may share keys.
    fn context(&self, purpose: Purpose) -> Context {
        let purpose = match purpose {
            Purpose::SignIn => "sign-in",
            Purpose::Passkey => "passkey",
            Purpose::EmailCode => "email-code",
            Purpose::EmailCodeAnswer => "email-code-answer",
            Purpose::Step => "step",
            Purpose::SignOut => "sign-out",
            Purpose::Confirmation => "confirmation",
            Purpose::Request => "request",
            Purpose::SignUp => "sign-up",
            Purpose::Verify => "verify",
            Purpose::ConfirmUser => "confirm-user",
            Purpose::ForgotPassword => "forgot-password",
            Purpose::ResetPassword => "reset-password",
            Purpose::NewPassword => "new-password",
            Purpose::Account => "account",
            Purpose::FormResult => "form-result",
            Purpose::LoginHandle => "login-handle",
            Purpose::LoginTicket => "login-ticket",
            Purpose::FormRefusal => "form-refusal",
            Purpose::NamedSignIn => "named-sign-in",
            Purpose::ProviderSignIn => "provider-sign-in",
            Purpose::ProviderRefusal => "provider-refusal",
            Purpose::SingleSignOn => "single-sign-on",
            Purpose::KnownBrowser => "known-browser",
            Purpose::Code => "code",
            Purpose::FormPost => "form-post",
            Purpose::RefreshToken => "refresh-token",
            Purpose::AccessToken => "access-token",
        };
        Context::new(["vestibule pool", purpose, &self.issuer])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn seal(issuer: &str) -> Seal {
        Seal::new([Key::new(&Secret::new([7; 32]))].into(), issuer.into())
    }

    #[test]
    fn a_value_opens_only_for_its_purpose_and_issuer() {
        let ours = seal("https://login.example");
        let text = ours.seal(Purpose::SignIn, &"hello");
        assert_eq!(ours.open::<String>(Purpose::SignIn, &text).as_deref(), Some("hello"));
        assert_eq!(ours.open::<String>(Purpose::SingleSignOn, &text), None);
        assert_eq!(ours.open::<u64>(Purpose::SignIn, &text), None);
        assert_eq!(seal("https://other.example").open::<String>(Purpose::SignIn, &text), None);
        assert_eq!(ours.open::<String>(Purpose::SignIn, &text[1..]), None);
        assert_eq!(ours.open::<String>(Purpose::SignIn, ""), None);
    }
}
