//! A port of the load balancer: a listener, before it has its rules.

use crate::import::draft::{Chain, Listener};
use crate::import::elbv2::attributes::Common;
use crate::import::yaml::Map;

/// A listener and what is known of it before it has rules.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) listener: Listener,
    pub(super) is_https: bool,
    /// `ssl-redirect`: it has no rules.
    pub(super) redirects: bool,
    /// The Ingress objects that have it, by their place.
    pub(super) ingresses: Vec<String>,
    /// Names of headers about client certificates.
    pub(super) header_names: Map,
    /// Empty if no certificates are asked for. `None` until an Ingress says so.
    pub(super) mutual_authentication: Option<Map>,
}

impl Port {
    /// A listener that answers 404.
    pub(super) fn new(number: u64, is_https: bool, common: &Common) -> Self {
        let scheme = if is_https { "https" } else { "http" };
        let mut settings = Map::default().with("address", format!("0.0.0.0:{number}")).with("protocol", scheme);
        settings.extend(&common.listener);
        if !common.limits.is_empty() {
            settings.set("limits", common.limits.clone());
        }
        // The controller answers 404 where no rule matches.
        let default = Map::default().with("type", "fixed-response").with("status_code", 404);
        let listener = Listener {
            name: format!("{scheme}-{number}"),
            settings,
            rules: Vec::new(),
            default: Chain::terminal(default),
            source: format!("port {number}"),
        };
        Self {
            listener,
            is_https,
            redirects: false,
            ingresses: Vec::new(),
            header_names: Map::default(),
            mutual_authentication: None,
        }
    }
}
