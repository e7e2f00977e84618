//! The device flow (RFC 8628): the user signs in on any device and types a code there.

use std::time::Duration;

use tokio::time;
use url::Url;

use crate::oidc::document::Document;
use crate::token_client::address;
use crate::token_client::authorization::Asked;
use crate::token_client::calls::Calls;
use crate::token_client::error::{Error, VALUE_MAX};
use crate::token_client::printable::printable;
use crate::token_client::screen::Screen;
use crate::token_client::server::Server;
use crate::token_client::token::Token;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628 §3.2: where the issuer says none.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest time between two questions, whatever the issuer says.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// RFC 8628 §3.5.
const SLOWER: Duration = Duration::from_secs(5);
/// How long a code lives of which the issuer does not say it.
const LIFETIME: u64 = 300;

/// Gets a token. Waits no longer than `patience`, and no longer than the code lives.
pub(super) async fn sign_in(
    calls: &Calls,
    (server, endpoint): (&Server, &Url),
    asked: &Asked<'_>,
    patience: Duration,
    screen: &dyn Screen,
) -> Result<Token, Error> {
    let begun = calls.post_form(endpoint, &asked.fields()).await?;
    let unreadable = |fault| Error::Answer(endpoint.as_str().into(), fault);
    let device_code = begun.required_text("device_code").map_err(unreadable)?;
    let user_code = printable(&begun.required_text("user_code").map_err(unreadable)?, VALUE_MAX);
    let address_of = |name: &'static str, text: &str| {
        let page = address::read(text, calls.place);
        let page = page.map_err(|why| Error::address(endpoint.as_str(), name, text, why))?;
        // No answer comes back here that could name its issuer.
        server.check_page(&page).map(|()| page)
    };
    let address = address_of("verification_uri", &begun.required_text("verification_uri").map_err(unreadable)?)?;
    let whole = begun.text("verification_uri_complete").map_err(unreadable)?;
    let whole = whole.map(|text| address_of("verification_uri_complete", &text)).transpose()?;
    screen.show_code(&address, &user_code, whole.as_ref());
    let lifetime = Duration::from_secs(begun.seconds("expires_in").unwrap_or(LIFETIME)).min(patience);
    let interval = begun.seconds("interval").map_or(INTERVAL, Duration::from_secs).min(INTERVAL_MAX);
    let fields = [("grant_type", GRANT_TYPE), ("device_code", &device_code), ("client_id", asked.client_id)];
    let asked = time::timeout(lifetime, poll(calls, &server.token, &fields, interval)).await;
    Token::read(&asked.map_err(|_| Error::TimedOut)??, &server.token)
}

/// Asks again and again until the user has decided.
async fn poll(
    calls: &Calls,
    endpoint: &Url,
    fields: &[(&str, &str)],
    mut interval: Duration,
) -> Result<Document, Error> {
    loop {
        time::sleep(interval).await;
        match calls.post_form(endpoint, fields).await {
            Err(error) if error.is_refusal("authorization_pending") => {}
            Err(error) if error.is_refusal("slow_down") => interval = (interval + SLOWER).min(INTERVAL_MAX),
            // RFC 8628 §3.5: exponential backoff.
            Err(Error::Call(..)) => interval = (interval * 2).min(INTERVAL_MAX),
            decided => return decided,
        }
    }
}
