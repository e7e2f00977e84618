//! Asks a signed-in user whether a program may act as this user (decision 91).
//!
//! Without the question, every program of the device, and every page that has the browser open the authorization endpoint, would get a code
//! without anybody noticing, in the name of a client without a secret.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::directory::user::User;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::{csrf, page};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::pages::Confirm as ConfirmPage;
use crate::seal::Purpose;
use crate::signin::sso::Session;
use crate::signin::state;
use crate::{reply, routes};

/// The value of the form.
#[derive(Serialize, Deserialize)]
struct Confirmation {
    request: AuthorizationRequest,
    /// The session of the user whom the page names. The button is good for no other.
    session: String,
    subject: String,
}

impl HostedUi {
    /// Shows the page that asks. Without a session the user has to sign in, which is a confirmation as well.
    pub(super) fn ask_to_confirm(
        &self,
        headers: &HeaderMap,
        request: AuthorizationRequest,
        visitor: Option<&(Session, Arc<User>)>,
    ) -> WholeResponse {
        let Some((session, user)) = visitor else { return self.ask(headers, Some(&request), None) };
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let application = self.provider.program_name(&request);
        let (form_action, view) = (request.form_action(), self.view(headers, Some(&request)));
        let asked = request.data_scopes();
        let scopes: Vec<Text> = asked.iter().filter_map(|scope| text_of_scope(scope)).collect();
        let of_others = asked.iter().filter(|scope| text_of_scope(scope).is_none()).copied();
        let resources: Vec<String> = request.resource().into_iter().chain(of_others).map(str::to_owned).collect();
        let confirmation = Confirmation { request, session: session.id.clone(), subject: session.subject.clone() };
        let carried = state::carry(&self.seal, Purpose::Confirmation, confirmation, &browser, self.clock.now());
        let page = ConfirmPage {
            view,
            application: &application,
            user: user.shown_name(),
            scopes: &scopes,
            resources: &resources,
            action: routes::CONFIRM,
            carried: &carried,
        };
        let mut response = view.respond(StatusCode::OK, &page, &form_action, Frames::Nobody);
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        response
    }

    /// Handles the form.
    pub(crate) async fn confirm(&self, headers: &HeaderMap, form: &Form<'_>) -> Result<WholeResponse, database::Error> {
        let confirmation: Confirmation = match self.received(Purpose::Confirmation, headers, form) {
            Ok((_, confirmation)) => confirmation,
            Err(state::Refused::Expired(confirmation)) => {
                let again = self.start_again(&confirmation);
                return Ok(self.refused(headers, page::Refused::ConfirmationExpired, again));
            }
            Err(_) => return Ok(self.refused(headers, page::Refused::Foreign, routes::SIGN_IN.to_owned())),
        };
        let Confirmation { request, session: id, subject } = confirmation;
        if let Err(error) = self.provider.check_again(&request) {
            return Ok(self.page_error(headers, error));
        }
        let session = self.visitor(headers).await?.map(|(session, _)| session);
        Ok(match session.filter(|session| session.id == id && session.subject == subject) {
            Some(session) => reply::see_other(&self.provider.confirmed_location(&request, &session).await?),
            // The user whom the page named has signed out meanwhile, or somebody else has signed in.
            None => self.ask(headers, Some(&request), None),
        })
    }

    fn start_again(&self, confirmation: &Confirmation) -> String {
        match self.provider.check_again(&confirmation.request) {
            Ok(()) => self.provider.begin_again_location(&confirmation.request),
            Err(_) => routes::SIGN_IN.to_owned(),
        }
    }
}

/// What a scope gives, in words. `None` for one of a resource server, whose name has to do.
fn text_of_scope(scope: &str) -> Option<Text> {
    match scope {
        "openid" => Some(Text::ConfirmOpenid),
        "profile" => Some(Text::ConfirmProfile),
        "email" => Some(Text::ConfirmEmail),
        "groups" => Some(Text::ConfirmGroups),
        "offline_access" => Some(Text::ConfirmOfflineAccess),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_options::SCOPES;

    #[test]
    fn each_scope_has_its_words() {
        assert!(SCOPES.iter().all(|scope| text_of_scope(scope).is_some()));
        assert_eq!(text_of_scope("other"), None);
    }
}
