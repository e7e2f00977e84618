//! How the client of a provider authenticates.

use crate::import::yaml::Map;

/// Where the secret of a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    File,
    /// It has none.
    None,
}

/// How the client authenticates at the token endpoint.
pub(super) fn authentication(method: Option<&str>, has_secret: bool, settings: &mut Map) -> Result<Secret, String> {
    if let Some(other) =
        method.filter(|method| !matches!(*method, "client_secret_basic" | "client_secret_post" | "none"))
    {
        return Err(format!("Vestibule does not authenticate itself by `{other}`"));
    }
    if !has_secret || method == Some("none") {
        settings.set("token_endpoint_auth_method", "none");
        return Ok(Secret::None);
    }
    if let Some(method) = method {
        settings.set("token_endpoint_auth_method", method);
    }
    Ok(Secret::File)
}
