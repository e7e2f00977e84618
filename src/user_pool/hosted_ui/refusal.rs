//! The stable codes of what the pool's pages refuse: in the access log, and on those pages that are about nothing else.

use crate::message::WholeResponse;
use crate::message::page::Code;
use crate::user_pool::hosted_ui::page::{Notice, Refused};
use crate::user_pool::oauth::error::PageError;

/// Nothing is at the address.
pub(crate) const NOT_FOUND: &str = "pool.not_found";
/// The method is not for the address.
pub(crate) const METHOD: &str = "pool.method_not_allowed";

impl PageError {
    /// The code of a request that no address may be told of.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::UnknownClient => "authorize.unknown_client",
            Self::UnknownRedirect => "authorize.unknown_redirect_uri",
            Self::Malformed => "authorize.malformed",
        }
    }
}

impl Refused {
    /// The code of a form that is not taken.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Foreign => "sign_in.form_foreign",
            Self::Expired => "sign_in.form_expired",
            Self::QuestionExpired => "sign_out.form_expired",
        }
    }
}

impl Notice {
    /// The code of a sign-in that did not succeed.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Incomplete => "sign_in.incomplete",
            Self::Wrong => "sign_in.wrong_password",
            Self::TooMany(_) => "sign_in.too_many_attempts",
            Self::Busy(_) => "sign_in.busy",
        }
    }
}

/// Says of a response which refusal it is.
pub(crate) fn because(code: &'static str, mut response: WholeResponse) -> WholeResponse {
    response.extensions_mut().insert(Code(code));
    response
}
