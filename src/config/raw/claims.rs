//! `claims`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::config::raw::value::{List, OneOrMany};

/// What targets are told about a user who signed in: `x-amzn-oidc-identity`, `x-amzn-oidc-data`, `x-amzn-oidc-accesstoken`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// The `signer` of the signed claims. Names this deployment; applications check it: `arn:vestibule:dashboard`.
    pub(crate) signer: String,
    /// How the signed claims are written. Default: `jwt`.
    #[serde(default)]
    pub(crate) format: Format,
    /// The P-256 private key that signs, in PEM form, as `vestibule keys signing` makes it. All replicas need the same.
    pub(crate) signing_key_file: String,
    /// Keys that signed before, or will: still published, never signing.
    #[serde(default)]
    pub(crate) previous_key_files: List<String>,
    /// Whether targets get the access token (`x-amzn-oidc-accesstoken`). Default: true.
    pub(crate) access_token_header: Option<bool>,
    /// More headers, each with the claim it carries: `x-forwarded-email: email`. Dots lead into objects
    /// (`realm_access.roles`); a list of steps does the same for names with dots in them. A header's name has letters, digits
    /// and `-` only, and no client may set it, under any spelling.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, MappedClaim>,
    /// Longest value of `x-amzn-oidc-data`, `x-amzn-oidc-identity` and `x-amzn-oidc-accesstoken`, each, in bytes. A request of a
    /// user whose header would be longer is answered 500 `auth.header_too_large`. Many targets accept 8 KB in one header or in all
    /// of them, and answer 400 or 431 to more: set it to what yours accept. Default: 32768.
    #[schemars(range(min = 1024, max = 65536))]
    pub(crate) header_bytes_max: Option<u32>,
}

/// The claim of a header: `email`, `realm_access.roles`, `[a, b]`, or `{ claim: groups, encoding: json }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum MappedClaim {
    Short(OneOrMany),
    Long { claim: OneOrMany, encoding: Option<Encoding> },
}

impl JsonSchema for MappedClaim {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("MappedClaim")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let encoding = generator.subschema_for::<Encoding>();
        json_schema!({
            "description": "The claim of a header: `email`, `realm_access.roles`, `[a, b]`, or a mapping of these.",
            "type": ["string", "array", "object"],
            "items": { "type": "string" },
            "properties": {
                "claim": {
                    "description": "The claim: dots lead into objects; a list of steps does the same for names with dots in them.",
                    "type": ["string", "array"],
                    "items": { "type": "string" },
                },
                "encoding": { "description": "How its value is written. Default: `percent`.", "anyOf": [encoding] },
            },
            "required": ["claim"],
            "additionalProperties": false,
        })
    }
}

/// How a claim is written into a header. In each, text that is not visible ASCII is percent-encoded (`J%C3%BCrgen`, `100%25`), but in
/// `json`, which escapes it. What cannot be written (more than 8 KiB) is left out, counted and logged once.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// A list is separated by commas; a value with a comma or a quote stands in double quotes (RFC 4180): `staff,"Sales, EMEA"`.
    Csv,
    /// Compact JSON in ASCII: `["staff","Sales, EMEA"]`; a text too: `"alice"`.
    Json,
    /// A list is separated by commas; a comma inside of a text is `%2C`: `staff,Sales%2C EMEA`. Split first, then decode.
    Percent,
    /// One header field for each element of a list, each written as with `percent`.
    Repeated,
}

/// How the signed claims are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A standard JWT.
    #[default]
    Jwt,
    /// The load balancer's exact bytes, for code that verifies those.
    Alb,
}
