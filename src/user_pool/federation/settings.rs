//! Validated settings of a provider of a pool.

use std::sync::Arc;

use crate::page::logo::Logo;
use crate::user_pool::federation::mapping::Mapping;

/// A provider at which users of the pool sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderSettings {
    /// The name of the entry in `identity_providers` of the file. User names begin with it.
    pub(crate) name: Arc<str>,
    /// What users read on its button. Default: the name.
    pub(crate) title: Arc<str>,
    pub(crate) logo: Option<Logo>,
    /// Domains of e-mail addresses whose users sign in there, in lower case and ASCII. A hint for the choice only.
    pub(crate) email_domains: Vec<String>,
    /// The scopes that it is asked for. Default: `openid email profile`.
    pub(crate) scope: String,
    /// Which attributes its claims become.
    pub(crate) mapping: Mapping,
    /// Whether its users are asked for no second factor of the pool, because the provider asks for one.
    pub(crate) asks_for_second_factor: bool,
    /// The group of its users. It is made when the first of them signs in.
    pub(crate) group: Option<String>,
    /// Where it sends browsers back to. Default: `/oauth2/idpresponse/<name>`.
    pub(crate) callback_path: Arc<str>,
}
