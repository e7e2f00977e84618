//! `user_pools.*.identity_providers`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A provider at which users of the pool sign in. Its name is that of an entry of `identity_providers` of the file, which says where the
/// provider is, how it is called and shown, and which e-mail addresses choose it. `{}` is enough.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolProvider {
    /// The scopes that the provider is asked for, separated by spaces.
    #[serde(default = "scope")]
    pub(crate) scope: String,
    /// Attributes of the user, and the claim of the provider that each of them gets at every sign-in: `{ email: email, name: display_name }`. A
    /// claim that the provider does not send removes the attribute. Without it, `email` and `name`. An e-mail address of a provider is not
    /// verified unless this has `email_verified: email_verified`: set it only for a provider that verifies addresses before it says so.
    pub(crate) attributes: Option<BTreeMap<String, String>>,
    /// Who asks users of this provider for a second factor. `pool`: the pool does, as `mfa` of the pool says. `trusted`: the pool never does, because
    /// the provider asks everybody for one; it cannot find out whether it does.
    #[serde(default)]
    pub(crate) mfa: ProviderMfa,
    /// Whether the provider has to say when it has asked the user: `auth_time` in the ID token. `required`: a sign-in that was to be one of now, for `/account` or because an application sent
    /// `prompt=login`, counts as one only if `auth_time` says so. `optional`: a provider that says nothing is believed to have asked. Whoever sits before a browser in which the user is
    /// signed in at the provider can then pass for the user, so set it only for a provider that always asks.
    #[serde(default)]
    pub(crate) auth_time: ProviderAuthTime,
    /// A group that the users of this provider are in. It is made when it is not there.
    pub(crate) group: Option<String>,
    /// Where the provider sends browsers back to. Register `<issuer of the pool><path>` there. Without it, `/oauth2/idpresponse/<name>`. One
    /// provider of a pool may have `/oauth2/idpresponse`, for an address that is registered already. An address of its own keeps the answer of
    /// one provider from being used as that of another (RFC 9700 §4.4.2).
    pub(crate) callback_path: Option<String>,
}

/// Who asks for a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderMfa {
    /// The pool, as all its users.
    #[default]
    Pool,
    /// The provider, and the pool does not ask again.
    Trusted,
}

/// Whether a provider has to say when it has asked the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderAuthTime {
    /// Without `auth_time`, nobody knows.
    #[default]
    Required,
    /// Without `auth_time`, it has done what it was told.
    Optional,
}

defaults! {
    scope: String = "openid email profile";
}
