//! Registers a public client where the issuer lets programs do so (RFC 7591).

use serde_json::json;
use url::Url;

use crate::token_client::calls::Calls;
use crate::token_client::error::Error;

/// The client ID of a new client without a secret. `redirect_uri` is where a browser comes back to.
pub(super) async fn register(calls: &Calls, endpoint: &Url, redirect_uri: Option<&str>) -> Result<String, Error> {
    let mut metadata = json!({
        "client_name": "vestibule login",
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    match redirect_uri {
        Some(uri) => {
            metadata["redirect_uris"] = json!([uri]);
            metadata["response_types"] = json!(["code"]);
            metadata["grant_types"] = json!(["authorization_code", "refresh_token"]);
        }
        None => {
            metadata["redirect_uris"] = json!([]);
            metadata["response_types"] = json!([]);
            metadata["grant_types"] = json!(["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]);
        }
    }
    let document = calls.post_json(endpoint, &metadata).await?;
    document.required_text("client_id").map_err(|fault| Error::Answer(endpoint.as_str().into(), fault))
}
