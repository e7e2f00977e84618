//! Signs users out: at once, or after they were asked.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::database;
use crate::events::event::{Kind, Response, Visit};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::{csrf, page};
use crate::message::form::Form;
use crate::message::{WholeResponse, cookie};
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{Account, Notice as NoticePage, SignOut as SignOutPage};
use crate::page::site::NO_FORM;
use crate::page::{Text, View};
use crate::routes::account::Section;
use crate::seal::Purpose;
use crate::seen::Seen;
use crate::signin::sso::Session;
use crate::signin::state;
use crate::{reply, routes};

/// A page with a form that signs the user out.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    /// A relying party sent an end-session request without a valid ID token.
    SignOut { application: Option<&'a str> },
    /// A signed-in user opened the sign-in page. `applications` are names and addresses.
    SignedIn { user: &'a str, applications: &'a [(String, String)] },
}

/// The value of the form that asks whether to sign out.
#[derive(Serialize, Deserialize)]
struct SignOut {
    location: Option<String>,
}

impl HostedUi {
    /// Answers an end-session request: signs the user out, or asks first.
    pub(crate) async fn logout(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let session = self.session(headers).await?;
        let view = self.view_of_pool(headers, form.one("ui_locales").ok().flatten());
        let logout = match self.provider.logout(form, session.as_ref()) {
            Ok(logout) => logout,
            Err(error) => return Ok(self.page_error(headers, error)),
        };
        Ok(match session {
            Some(_) if !logout.is_vouched_for => {
                let question = Question::SignOut { application: logout.client.as_deref() };
                self.ask_to_sign_out(headers, view, logout.location, question)
            }
            session => {
                let visit = Visit { seen: Seen::of(headers, client), client: None };
                self.signed_out(view, session.as_ref(), logout.location.as_deref(), &visit).await?
            }
        })
    }

    pub(super) fn ask_to_sign_out(
        &self,
        headers: &HeaderMap,
        view: View<'_>,
        location: Option<String>,
        question: Question<'_>,
    ) -> WholeResponse {
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let form_action = location.as_deref().map_or("'self'".to_owned(), form_action);
        let carried = state::carry(&self.seal, Purpose::SignOut, SignOut { location }, &browser, self.clock.now());
        let (action, home, carried) = (routes::SIGN_OUT, routes::SIGN_IN, &*carried);
        let mut response = match question {
            Question::SignOut { application } => {
                let page = SignOutPage { view, application, action, home, carried };
                view.respond(StatusCode::OK, &page, &form_action, Frames::Nobody)
            }
            Question::SignedIn { user, applications } => {
                let add_passkey = self.sign_in.has_passkeys().then_some(routes::ADD_PASSKEY);
                let account = self.account.is_some().then_some(Section::Overview.path());
                let page = Account { view, user, applications, add_passkey, account, action, carried };
                view.respond(StatusCode::OK, &page, &form_action, Frames::Nobody)
            }
        };
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        response
    }

    /// Handles the form that asks whether to sign out.
    pub(crate) async fn sign_out(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        Ok(match self.received::<SignOut>(Purpose::SignOut, headers, form) {
            Ok((_, sign_out)) => {
                let (view, session) = (self.view(headers, None), self.session(headers).await?);
                let visit = Visit { seen: Seen::of(headers, client), client: None };
                self.signed_out(view, session.as_ref(), sign_out.location.as_deref(), &visit).await?
            }
            Err(state::Refused::Expired(_)) => {
                self.refused(headers, page::Refused::QuestionExpired, routes::SIGN_IN.to_owned())
            }
            Err(_) => self.refused(headers, page::Refused::Foreign, routes::SIGN_IN.to_owned()),
        })
    }

    async fn signed_out(
        &self,
        view: View<'_>,
        session: Option<&Session>,
        location: Option<&str>,
        visit: &Visit,
    ) -> Result<WholeResponse, database::Error> {
        if let Some(session) = session {
            self.sessions.end(session, self.clock.now()).await?;
            self.events.record(Some(&session.subject), (Kind::SignOut, Response::Pass), visit);
        }
        let mut response = match location {
            Some(location) => reply::see_other(location),
            None => {
                let page = NoticePage {
                    view,
                    title: Text::SignedOutTitle,
                    text: Text::SignedOutOfPool,
                    link: Link::here(Text::LinkSignInAgain, routes::SIGN_IN),
                };
                view.respond(StatusCode::OK, &page, NO_FORM, Frames::Nobody)
            }
        };
        response.headers_mut().append(header::SET_COOKIE, cookie::delete(&self.cookies.session));
        Ok(response)
    }
}

/// A CSP source list that allows a form to redirect to `location`.
fn form_action(location: &str) -> String {
    let origin = Url::parse(location).map(|url| url.origin().ascii_serialization());
    origin.map_or("'self'".to_owned(), |origin| format!("'self' {origin}"))
}
