//! One function per page. Each returns HTML without scripts, images or other resources.
//!
//! All text from requests, relying parties and the configuration is escaped with [`escape`].

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::page::{document, escape};
use crate::user_pool::hosted_ui::refusal;
use crate::user_pool::oauth::error::PageError;
use crate::user_pool::routes;

/// The contents of the sign-in page.
#[derive(Debug)]
pub(crate) struct SignInView<'a> {
    /// The heading.
    pub(crate) title: &'a str,
    /// The name of the relying party, if there is one.
    pub(crate) client: Option<&'a str>,
    /// The hidden value.
    pub(crate) carried: &'a str,
    /// The user name that was typed before.
    pub(crate) username: &'a str,
    pub(crate) notice: Option<Notice>,
}

/// Why the sign-in page is shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// A field was empty.
    Incomplete,
    /// The user name or the password is wrong. The page does not say which (attacks U-01).
    Wrong,
    /// Too many attempts; seconds to wait.
    TooMany(u64),
    /// Too many users at once; seconds to wait.
    Busy(u64),
}

impl Notice {
    /// The status, if the page is the response to the form itself.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) | Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// How many seconds to wait.
    pub(crate) const fn wait(self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) | Self::Busy(seconds) => Some(seconds),
            Self::Incomplete | Self::Wrong => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Incomplete => "Enter your user name and your password.".to_owned(),
            Self::Wrong => "Incorrect user name or password.".to_owned(),
            Self::TooMany(seconds) => format!("Too many attempts. Try again in {}.", duration(seconds)),
            Self::Busy(seconds) => {
                format!("Too many people are signing in right now. Try again in {}.", duration(seconds))
            }
        }
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0 | 1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// The sign-in page.
pub(crate) fn sign_in(view: &SignInView<'_>) -> String {
    let (title, carried, username) = (escape(view.title), escape(view.carried), escape(view.username));
    let client = view.client.map_or_else(String::new, |client| {
        format!("\n<p class=\"soft\">to continue to <strong>{}</strong></p>", escape(client))
    });
    // The cursor is in the field that must be filled in next.
    let (at_name, at_password) = if username.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    let (alert, described) = match view.notice {
        Some(notice) => {
            let alert = format!("<p class=\"alert\" id=\"notice\" role=\"alert\">{}</p>\n", escape(&notice.text()));
            (alert, " aria-describedby=\"notice\"")
        }
        None => (String::new(), ""),
    };
    let action = routes::SIGN_IN;
    let prefix = match view.notice {
        Some(_) => "Not signed in: ",
        None => "",
    };
    document(
        &format!("{prefix}{title}"),
        "",
        &format!(
            r#"<h1>{title}</h1>{client}
{alert}<form method="post" action="{action}">
<input type="hidden" name="request" value="{carried}">
<label for="username">User name</label>
<input id="username" name="username" type="text" value="{username}" maxlength="256" autocomplete="username" inputmode="email" autocapitalize="none" autocorrect="off" spellcheck="false" required{described}{at_name}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{described}{at_password}>
<button class="button wide" type="submit">Sign in</button>
</form>"#
        ),
    )
}

/// Why the user is asked whether to sign out.
#[derive(Debug)]
pub(crate) enum Question<'a> {
    /// A relying party sent an end-session request without a valid ID token.
    SignOut { client: Option<&'a str> },
    /// A signed-in user opened the sign-in page. `applications` are names and addresses.
    SignedIn { name: &'a str, applications: &'a [(String, String)] },
}

/// Asks whether to sign out.
pub(crate) fn ask_to_sign_out(question: &Question<'_>, carried: &str) -> String {
    let (title, text) = match question {
        Question::SignOut { client: Some(client) } => {
            ("Sign out?", format!("<strong>{}</strong> asks to sign you out.", escape(client)))
        }
        Question::SignOut { client: None } => ("Sign out?", "You are asked to sign out.".to_owned()),
        Question::SignedIn { name, applications } => {
            ("You are signed in", format!("as <strong>{}</strong>.{}", escape(name), links(applications)))
        }
    };
    let way_back = match question {
        Question::SignOut { .. } => {
            "If you did not ask for this, close the page or go to <a href=\"/sign-in\">your applications</a>: you stay signed in."
        }
        Question::SignedIn { .. } => "You stay signed in if you close this page.",
    };
    let (action, carried) = (routes::SIGN_OUT, escape(carried));
    document(
        title,
        "",
        &format!(
            r#"<h1>{title}</h1>
<p>{text}</p>
<form method="post" action="{action}">
<input type="hidden" name="request" value="{carried}">
<button class="button wide" type="submit">Sign out</button>
</form>
<p class="small">{way_back}</p>"#
        ),
    )
}

fn links(applications: &[(String, String)]) -> String {
    if applications.is_empty() {
        return String::new();
    }
    let link =
        |(name, address): &(String, String)| format!("\n<li><a href=\"{}\">{}</a></li>", escape(address), escape(name));
    format!("</p>\n<ul>{}\n</ul>\n<p>", applications.iter().map(link).collect::<String>())
}

/// The page after a sign-out without a redirect URI.
pub(crate) fn signed_out() -> String {
    let text = "You can close this page. Applications that you have opened may keep you signed in for a while.";
    document(
        "You are signed out",
        "",
        &format!(
            "<h1>You are signed out</h1>\n<p>{text}</p>\n{}",
            button(Link { to: routes::SIGN_IN, label: "Sign in again" })
        ),
    )
}

/// Why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refused {
    /// The form comes from another site or browser, or the cookie is missing.
    Foreign,
    /// The sign-in page is too old.
    Expired,
    /// The question whether to sign out is too old.
    QuestionExpired,
}

/// The page for a refused form. `again` is the address at which the user can start again.
pub(crate) fn refused(why: Refused, again: &str, id: Option<&str>) -> String {
    let (title, text, label) = match why {
        Refused::Foreign => (
            "This form cannot be used here",
            "You have not been signed in. The form was made for another browser, or your browser did not send the cookie of \
             this site. Allow cookies from this site and start again.",
            "Start again",
        ),
        Refused::Expired => (
            "This sign-in page has expired",
            "This sign-in page has expired. You have not been signed in.",
            "Start again",
        ),
        Refused::QuestionExpired => {
            ("This page has expired", "This page has expired. You have not been signed out.", "Start again")
        }
    };
    error_page(title, text, (403, why.code(), id), Link { to: again, label })
}

/// The page for a request that cannot be answered by a redirect.
pub(crate) fn error(error: PageError, id: Option<&str>) -> String {
    let (title, text) = match error {
        PageError::UnknownClient => (
            "Unknown application",
            "The application that sent you here is not registered. Tell the person who runs it.",
        ),
        PageError::UnknownRedirect => (
            "Unknown return address",
            "The application asked to send you to an address that is not registered. Tell the person who runs it.",
        ),
        PageError::Malformed => (
            "Invalid request",
            "Go back to the application and start again. If it happens again, tell the person who runs it.",
        ),
    };
    error_page(title, text, (400, error.code(), id), HOME)
}

/// The page for an unknown path.
pub(crate) fn not_found(id: Option<&str>) -> String {
    error_page("Page not found", "There is no page at this address.", (404, refusal::NOT_FOUND, id), HOME)
}

/// The page for a method that the path does not support.
pub(crate) fn method_not_allowed(id: Option<&str>) -> String {
    error_page(
        "Invalid request",
        "Go back to the application and start again. If it happens again, tell the person who runs it.",
        (405, refusal::METHOD, id),
        HOME,
    )
}

/// A link on a page.
#[derive(Clone, Copy, Debug)]
struct Link<'a> {
    to: &'a str,
    label: &'a str,
}

/// The link of pages without a better one.
const HOME: Link<'static> = Link { to: routes::SIGN_IN, label: "Go to the sign-in page" };

/// An error page with status, code and request ID. The operator finds the request in the access log by its ID.
fn error_page(title: &str, text: &str, (status, code, id): (u16, &str, Option<&str>), link: Link<'_>) -> String {
    let id = id.map_or_else(String::new, |id| format!("<br>Request <code>{}</code>", escape(id)));
    let small = format!("<p class=\"small\">{status} · <code>{code}</code>{id}</p>");
    document(title, "", &format!("<h1>{title}</h1>\n<p>{text}</p>\n{}\n{small}", button(link)))
}

/// A link that looks like a button.
fn button(link: Link<'_>) -> String {
    format!("<p><a class=\"button wide\" href=\"{}\">{}</a></p>", escape(link.to), escape(link.label))
}

#[cfg(test)]
mod tests;
