//! `claims`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::config::raw::value::{List, OneOrMany};

/// The identity headers that targets receive for a signed-in user: `x-amzn-oidc-identity`, `x-amzn-oidc-data` and
/// `x-amzn-oidc-accesstoken`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// The `signer` field in the header of the signed claims. It names this deployment, and applications compare it.
    /// Example: `arn:vestibule:dashboard`. It is the same for every target group; the audience (`aud`) is the name of the target group that gets the
    /// request, or `audience` of `allow`.
    pub(crate) signer: String,
    /// Format of the signed claims.
    #[serde(default)]
    pub(crate) format: Format,
    /// PEM file with the P-256 private key that signs the claims. `vestibule keys signing` creates one. All replicas
    /// need the same key.
    pub(crate) signing_key_file: String,
    /// PEM files with former or future signing keys, which are published and never sign. The public key is enough (`PUBLIC KEY`);
    /// a private one is accepted, too.
    #[serde(default)]
    pub(crate) previous_key_files: List<String>,
    /// Whether targets receive the access token in `x-amzn-oidc-accesstoken`.
    #[serde(default = "access_token_header")]
    pub(crate) access_token_header: bool,
    /// Additional headers, each with the claim that fills it: `x-forwarded-email: email`. A dot selects a member of
    /// an object: `realm_access.roles`. For claim names that contain dots, write a list: `["a.b", c]`. Header names
    /// may contain letters, digits and `-`. Clients cannot set these headers: every spelling of the name is removed
    /// from requests.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, MappedClaim>,
    /// Maximum size in bytes of each of `x-amzn-oidc-data`, `x-amzn-oidc-identity` and `x-amzn-oidc-accesstoken`. If a header
    /// would be longer, the request is answered 500 `auth.header_too_large`. Many targets accept 8 KB per header or for all
    /// headers together, and answer 400 or 431 above that: set this to the limit of your targets.
    #[serde(default = "header_bytes_max")]
    #[schemars(range(min = 1024, max = 65536))]
    pub(crate) header_bytes_max: u32,
}

defaults! {
    access_token_header: bool = true;
    // The maximum size of claims in the session cookies, if the claims do not compress.
    header_bytes_max: u32 = 32_u32 * 1024;
}

/// A claim for a header: `email`, `realm_access.roles`, `["a.b", c]`, or `{ claim: groups, encoding: json }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum MappedClaim {
    Short(OneOrMany),
    Long {
        claim: OneOrMany,
        #[serde(default)]
        encoding: Encoding,
    },
}

impl JsonSchema for MappedClaim {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("MappedClaim")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let encoding = generator.subschema_for::<Encoding>();
        json_schema!({
            "description": "A claim for a header: `email`, `realm_access.roles`, `[a, b]`, or a mapping with `claim` and `encoding`.",
            "type": ["string", "array", "object"],
            "items": { "type": "string" },
            "properties": {
                "claim": {
                    "description": "The claim. A dot selects a member of an object; for names that contain dots, write a list.",
                    "type": ["string", "array"],
                    "items": { "type": "string" },
                },
                "encoding": {
                    "description": "How the value is encoded.",
                    "default": Encoding::default(),
                    "anyOf": [encoding],
                },
            },
            "required": ["claim"],
            "additionalProperties": false,
        })
    }
}

/// How a claim is encoded in a header. All encodings except `json` percent-encode text outside visible ASCII
/// (`J%C3%BCrgen`, `100%25`); `json` uses JSON escapes. A value longer than 8 KiB is omitted, counted and logged
/// once.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// Lists are separated by commas. A value that contains a comma or a quote is enclosed in double quotes (RFC
    /// 4180): `staff,"Sales, EMEA"`.
    Csv,
    /// Compact ASCII JSON: `["staff","Sales, EMEA"]`. A single text is JSON too: `"alice"`.
    Json,
    /// Lists are separated by commas. A comma inside a value is written `%2C`: `staff,Sales%2C EMEA`. Split at commas
    /// first, then decode each value.
    #[default]
    Percent,
    /// One header field per list element, each encoded as with `percent`.
    Repeated,
}

/// Format of the signed claims.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A standard JWT.
    #[default]
    Jwt,
    /// The exact bytes of the AWS load balancer, for code that verifies those.
    Alb,
}
