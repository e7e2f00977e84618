//! The address of the sign-in page: bookmarks lead to it, and it shows the result of a form.

use http::{HeaderMap, StatusCode};

use crate::database;
use crate::directory::user::User;
use crate::hosted_ui::result::{self, FormResult};
use crate::hosted_ui::sign_in::Filled;
use crate::hosted_ui::sign_out::Question;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::reply;
use crate::routes;
use crate::seal::Purpose;
use crate::signin::sso::Session;
use crate::signin::state;

impl HostedUi {
    /// Answers who has typed the host only: with the application, if there is no other. Strangers are not told where it is.
    pub(crate) async fn root(&self, headers: &HeaderMap) -> Result<WholeResponse, database::Error> {
        let applications =
            if self.visitor(headers).await?.is_some() { self.provider.applications() } else { Vec::new() };
        Ok(match &applications[..] {
            [(_, application)] => reply::see_other(application),
            _ => reply::see_other(routes::SIGN_IN),
        })
    }

    /// Answers a request for the address of the sign-in page. Bookmarks, histories and our own pages link to it. The page also shows
    /// the result of a form.
    pub(crate) async fn home(&self, headers: &HeaderMap, form: &Form<'_>) -> Result<WholeResponse, database::Error> {
        let sealed = |parameter| form.one(parameter).ok().flatten();
        let visitor = self.visitor(headers).await?;
        Ok(sealed(result::PARAMETER)
            .and_then(|sealed| self.form_result(headers, sealed, visitor.as_ref().map(|(session, _)| session)))
            .or_else(|| self.form_refusal(headers, sealed(result::REFUSAL)?))
            .unwrap_or_else(|| self.start(headers, form, visitor.as_ref().map(|(_, user)| &**user))))
    }

    fn start(&self, headers: &HeaderMap, form: &Form<'_>, user: Option<&User>) -> WholeResponse {
        match user {
            Some(user) => {
                let applications = self.provider.applications();
                let question = Question::SignedIn { user: user.shown_name(), applications: &applications };
                self.ask_to_sign_out(headers, self.view(headers, None), None, question)
            }
            None => self.ask(headers, self.kept_request(form).as_ref(), None),
        }
    }

    /// The sign-in page with the result of a form, for the browser that sent the form. `None` if `sealed` is not ours, or if
    /// the user has signed in since.
    fn form_result(&self, headers: &HeaderMap, sealed: &str, session: Option<&Session>) -> Option<WholeResponse> {
        let (browser, now) = (self.browser(headers), self.clock.now());
        let result: FormResult = match state::receive(&self.seal, Purpose::FormResult, sealed, browser, now) {
            Ok(result) => result,
            Err(state::Refused::Foreign) => return None,
            // The form inside is bound to the same browser and is older, so it is refused below.
            Err(state::Refused::OtherBrowser(result) | state::Refused::Expired(result)) => result,
        };
        let received = state::receive(&self.seal, Purpose::SignIn, &result.carried, browser, now);
        let request: Option<AuthorizationRequest> = match received {
            Ok(request) => request,
            Err(refused) => {
                let (why, again) = self.refused_sign_in(refused);
                return Some(self.refused_page(headers, why, &again));
            }
        };
        if session.is_some_and(|session| session.auth_time >= result.at) {
            return None;
        }
        let notice = Some(result.notice(now));
        let browser = browser.unwrap_or_default();
        let is_for_account = self.is_for_account(headers, request.as_ref());
        let (carried, username) = (&*result.carried, &*result.username);
        let filled = Filled { carried, browser, username, notice, is_for_account, is_named: true };
        Some(self.sign_in_page(headers, StatusCode::OK, request.as_ref(), &filled))
    }
}
