//! SMS by the API of Twilio, or of a gateway that has the same.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Request, StatusCode, header};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::backchannel::call::Backchannel;
use crate::message::WholeRequest;
use crate::messages::courier::gateway;
use crate::messages::courier::letter::{Letter, Undelivered};
use crate::messages::settings::Sender;
use crate::secret::Secret;

/// A number that cannot get messages, or a text that may not be sent.
const NEVER: [StatusCode; 1] = [StatusCode::BAD_REQUEST];

/// Posts a form with Basic authentication.
#[derive(Debug)]
pub(crate) struct Twilio {
    url: Url,
    authorization: Secret<String>,
    sender: Sender,
    network: Arc<dyn Backchannel>,
}

impl Twilio {
    /// Posts to `Accounts/{account_sid}/Messages.json` below `url`.
    pub(crate) fn new(
        url: &Url,
        account_sid: &str,
        auth_token: &Secret<String>,
        sender: Sender,
        network: Arc<dyn Backchannel>,
    ) -> Self {
        let mut url = url.clone();
        let below = format!("{}/2010-04-01/Accounts/{account_sid}/Messages.json", url.path().trim_end_matches('/'));
        url.set_path(&below);
        let credentials = Secret::new(format!("{account_sid}:{}", auth_token.expose()));
        let authorization = Secret::new(format!("Basic {}", STANDARD.encode(credentials.expose())));
        Self { url, authorization, sender, network }
    }

    pub(super) async fn deliver(&self, letter: &Letter<'_>, text: &Secret<String>) -> Result<String, Undelivered> {
        let Some(request) = self.request(letter.to, text.expose()) else {
            return Err(Undelivered::Never("the request cannot be made".to_owned()));
        };
        gateway::call(&self.network, request, &NEVER).await
    }

    fn request(&self, to: &str, text: &str) -> Option<WholeRequest> {
        let (key, sender) = match &self.sender {
            Sender::From(number) => ("From", number),
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid),
        };
        let mut form = Serializer::new(String::new());
        form.append_pair("To", to).append_pair(key, sender).append_pair("Body", text);
        let mut authorization = HeaderValue::from_str(self.authorization.expose()).ok()?;
        authorization.set_sensitive(true);
        Request::builder()
            .method(Method::POST)
            .uri(self.url.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, authorization)
            .body(form.finish().into())
            .ok()
    }
}

#[cfg(test)]
mod tests;
