//! Pages that an application opens by themselves, with the parameters of an authorization request, as with Cognito (pool §9.2).

use http::HeaderMap;

use crate::database;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::authorize::Decision;
use crate::reply;

impl HostedUi {
    /// `/login`: the authorization endpoint. Without a client, the sign-in page.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn login(&self, headers: &HeaderMap, form: &Form<'_>) -> Result<WholeResponse, database::Error> {
        if is_of_client(form) { self.authorize(headers, form).await } else { self.home(headers, form).await }
    }

    /// Leads to the page at `path`, which keeps the request. A session of the browser does not matter: the page is for somebody who has none.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn enter(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        path: &str,
    ) -> Result<WholeResponse, database::Error> {
        Ok(match self.provider.authorize(form, None).await? {
            Ok(Decision::NeedsSignIn { request, .. } | Decision::NeedsConfirmation(request)) => {
                reply::see_other(&self.address_with(path, Some(&request)))
            }
            Ok(Decision::Code(location) | Decision::Refused(location)) => reply::see_other(&location),
            Err(error) => self.page_error(headers, error),
        })
    }
}

/// Whether an application has opened the page.
pub(crate) fn is_of_client(form: &Form<'_>) -> bool {
    form.one("client_id").is_ok_and(|client_id| client_id.is_some())
}
