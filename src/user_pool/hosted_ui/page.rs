//! One function for each page: what to show → HTML. No script, no picture, no second request.
//!
//! Whatever a stranger, a relying party or the configuration wrote goes through [`escape`].

use crate::message::page::{document, escape};
use crate::user_pool::oauth::error::PageError;
use crate::user_pool::routes;

/// What the sign-in page shows.
#[derive(Debug)]
pub(crate) struct SignInView<'a> {
    /// The heading.
    pub(crate) title: &'a str,
    /// Which relying party the user goes on to.
    pub(crate) client: &'a str,
    /// The hidden value.
    pub(crate) carried: &'a str,
    /// What was typed before.
    pub(crate) username: &'a str,
    pub(crate) notice: Option<Notice>,
}

/// Why the sign-in page is shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A field was empty.
    Incomplete,
    /// The user name or the password is wrong: not which (attacks U-01).
    Wrong,
    /// Too many attempts; wait so many seconds.
    TooMany(u64),
    /// Too many people at once; wait so many seconds.
    Busy(u64),
}

impl Notice {
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
    let (title, client, carried, username) =
        (escape(view.title), escape(view.client), escape(view.carried), escape(view.username));
    // The cursor stands where the next thing is to be typed.
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
            r#"<h1>{title}</h1>
<p class="soft">to continue to <strong>{client}</strong></p>
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

/// Why somebody is asked whether to sign out.
#[derive(Debug)]
pub(crate) enum Question<'a> {
    /// A relying party asks, without proof that the user wants it.
    SignOut { client: Option<&'a str> },
    /// Somebody came to have a look.
    SignedIn { name: &'a str },
}

/// Asks whether to sign out.
pub(crate) fn ask_to_sign_out(question: &Question<'_>, carried: &str) -> String {
    let (title, text) = match question {
        Question::SignOut { client: Some(client) } => {
            ("Sign out?", format!("<strong>{}</strong> asks to sign you out.", escape(client)))
        }
        Question::SignOut { client: None } => ("Sign out?", "You are asked to sign out.".to_owned()),
        Question::SignedIn { name } => (
            "You are signed in",
            format!("as <strong>{}</strong>. Open the application that you want to use.", escape(name)),
        ),
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
<p class="small">If you did not ask for this, close the page: you stay signed in.</p>"#
        ),
    )
}

/// What is shown after signing out where there is nowhere to go.
pub(crate) fn signed_out() -> String {
    message(
        "You are signed out",
        "You can close this page. Applications that you opened before may keep you for a while.",
        "",
    )
}

/// What is shown to somebody who came to the sign-in page by its own address.
pub(crate) fn not_signed_in() -> String {
    message("You are not signed in", "Open the application that you want to use: it will bring you here.", "")
}

/// Why a form of ours is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not from our page, or the cookie is missing.
    Foreign,
    /// The page was open for too long.
    Expired,
}

/// A form is not taken.
pub(crate) fn refused(why: Refused) -> String {
    match why {
        Refused::Foreign => message(
            "This form cannot be used here",
            "Go back to the application and sign in from there. Your browser must accept cookies from this site.",
            why.code(),
        ),
        Refused::Expired => message(
            "This page was open for too long",
            "Nothing has happened. Go back to the application and sign in again.",
            why.code(),
        ),
    }
}

/// A request that no address may be told of.
pub(crate) fn error(error: PageError) -> String {
    match error {
        PageError::UnknownClient => message(
            "That application is not known here",
            "The application that sent you here is not registered. Please tell its operator.",
            error.code(),
        ),
        PageError::UnknownRedirect => message(
            "That application gave a wrong address",
            "The address to which it wants you sent back is not registered. Please tell its operator.",
            error.code(),
        ),
        PageError::Malformed => message(
            "That request could not be read",
            "Go back to the application and start again. If it happens again, please tell its operator.",
            error.code(),
        ),
    }
}

/// Nothing is at this address.
pub(crate) fn not_found() -> String {
    message(
        "There is nothing here",
        "Open the application that you want to use: it will bring you to the right page.",
        "",
    )
}

fn message(title: &str, text: &str, code: &str) -> String {
    let code = if code.is_empty() { String::new() } else { format!("\n<p class=\"small\"><code>{code}</code></p>") };
    document(title, "", &format!("<h1>{title}</h1>\n<p>{text}</p>{code}"))
}

#[cfg(test)]
mod tests;
