//! Leads a user whose password is right to what has to be done first (pool §2.3).

use http::HeaderMap;

use crate::database;
use crate::directory::status::Status;
use crate::directory::user::User;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::oauth::request::AuthorizationRequest;

impl HostedUi {
    /// The page. `None` if only an administrator can help.
    pub(super) async fn held(
        &self,
        headers: &HeaderMap,
        user: &User,
        request: Option<AuthorizationRequest>,
    ) -> Result<Option<WholeResponse>, database::Error> {
        match user.status() {
            Status::Unconfirmed => self.ask_unconfirmed(headers, user, request).await,
            Status::ForceChangePassword => self.ask_new_password(headers, user, request).await,
            Status::ResetRequired => Ok(self.ask_to_reset(headers, user, request)),
            Status::Confirmed | Status::ExternalProvider => Ok(None),
        }
    }
}
