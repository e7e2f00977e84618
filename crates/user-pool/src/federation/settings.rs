//! Validated settings of a provider of a pool.

use std::sync::Arc;

use crate::federation::mapping::Mapping;
use crate::page::logo::Logo;

/// A provider at which users of the pool sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSettings {
    /// The name of the entry in `identity_providers` of the file. User names begin with it.
    pub name: Arc<str>,
    /// What users read on its button. Default: the name.
    pub title: Arc<str>,
    pub logo: Option<Logo>,
    /// Domains of e-mail addresses whose users sign in there, in lower case and ASCII. A hint for the choice only.
    pub email_domains: Vec<String>,
    /// The scopes that it is asked for. Default: `openid email profile`.
    pub scope: String,
    /// Which attributes its claims become.
    pub mapping: Mapping,
    /// Whether its users are asked for no second factor of the pool, because the provider asks for one.
    pub asks_for_second_factor: bool,
    /// Whether it is believed to have asked the user where it was told to and does not say when it has.
    pub is_believed_to_ask: bool,
    /// The group of its users. It is made when the first of them signs in.
    pub group: Option<String>,
    /// Where it sends browsers back to. Default: `/oauth2/idpresponse/<name>`.
    pub callback_path: Arc<str>,
}
