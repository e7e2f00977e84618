//! The reason codes of the pool's pages: in the access log, and on error pages.

use http::StatusCode;

use crate::hosted_ui::page::{Notice, Refused};
use crate::message::WholeResponse;
use crate::oauth::error::PageError;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::Refused as Page;
use crate::page::site::NO_FORM;
use crate::page::{Code, View};

/// The path is unknown.
pub(crate) const NOT_FOUND: &str = "pool.not_found";
/// The database fails.
pub(crate) const UNAVAILABLE: &str = "pool.unavailable";
/// The password is right, and the user has to do something first.
pub(crate) const HELD: &str = "sign_in.user_held";
/// The user has to have a second factor, and cannot set one up.
pub(crate) const NO_SECOND_FACTOR: &str = "sign_in.no_second_factor";
/// The path does not support the method.
pub(crate) const METHOD: &str = "pool.method_not_allowed";

impl PageError {
    /// The code of a request that cannot be answered by a redirect.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::UnknownClient => "authorize.unknown_client",
            Self::UnknownRedirect => "authorize.unknown_redirect_uri",
            Self::UnknownRequest => "authorize.unknown_request",
            Self::Malformed => "authorize.malformed",
        }
    }
}

impl Refused {
    /// The code of a refused form.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Foreign => "sign_in.form_foreign",
            Self::Expired => "sign_in.form_expired",
            Self::QuestionExpired => "sign_out.form_expired",
            Self::ConfirmationExpired => "confirm.form_expired",
            Self::AccountForeign => "account.form_foreign",
            Self::AccountExpired => "account.form_expired",
        }
    }
}

impl Notice {
    /// The code of a failed sign-in.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Incomplete => "sign_in.incomplete",
            Self::Wrong => "sign_in.wrong_password",
            Self::TooMany(_) => "sign_in.too_many_attempts",
            Self::Busy(_) => "sign_in.busy",
            Self::Disabled => "sign_in.user_disabled",
            Self::NoCode => "sign_in.no_code",
            Self::WrongCode => "sign_in.wrong_code",
            Self::TooManyTries => "code.too_many_tries",
            Self::CodeExpired => "code.expired",
            Self::PasskeyRefused => "sign_in.passkey_refused",
            Self::NotAsked => "provider.not_asked",
            Self::TooManyPasskeys => "sign_in.too_many_passkeys",
        }
    }
}

/// The page that refuses with this code. The operator finds the request in the access log by its ID.
pub(crate) fn page(
    view: View<'_>,
    status: StatusCode,
    code: &'static str,
    link: Link,
    request_id: Option<&str>,
) -> WholeResponse {
    let page = Page { view, status: StatusCode::as_u16(&status), code, notes: &[], links: &[link], request_id };
    view.respond(status, &page, NO_FORM, Frames::Nobody)
}

/// Attaches a code to a response.
pub(crate) fn because(code: &'static str, mut response: WholeResponse) -> WholeResponse {
    response.extensions_mut().insert(Code(code));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosted_ui::own_page::Refused as OwnPage;
    use crate::oauth::error::TOKEN_NOT_ENOUGH;

    #[test]
    fn every_code_is_in_the_list_of_reasons() {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/REASONS.md");
        let list = std::fs::read_to_string(list).expect("the list");
        let pages =
            [PageError::UnknownClient, PageError::UnknownRedirect, PageError::UnknownRequest, PageError::Malformed]
                .map(PageError::code);
        let forms = [
            Refused::Foreign,
            Refused::Expired,
            Refused::QuestionExpired,
            Refused::ConfirmationExpired,
            Refused::AccountForeign,
            Refused::AccountExpired,
        ]
        .map(Refused::code);
        let sign_ins = [
            Notice::Incomplete,
            Notice::Wrong,
            Notice::TooMany(0),
            Notice::Busy(0),
            Notice::Disabled,
            Notice::NoCode,
            Notice::WrongCode,
            Notice::PasskeyRefused,
            Notice::NotAsked,
            Notice::TooManyPasskeys,
        ]
        .map(Notice::code);
        let own_pages = OwnPage::ALL.map(OwnPage::code);
        for code in [
            &pages[..],
            &forms,
            &sign_ins,
            &own_pages,
            &[NOT_FOUND, METHOD, UNAVAILABLE, HELD, NO_SECOND_FACTOR, TOKEN_NOT_ENOUGH],
        ]
        .concat()
        {
            assert!(list.contains(&format!("\n| `{code}` | ")), "{code}");
        }
    }
}
