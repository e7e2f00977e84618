//! Serves the stylesheets of the operator (decision 100).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::page::headers::harden;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

impl HostedUi {
    /// The stylesheet at a path. Browsers keep it: another one has another path.
    pub(crate) fn stylesheet(&self, headers: &HeaderMap, path: &str) -> WholeResponse {
        let Some(text) = self.brand.looks.stylesheet(path) else { return self.not_found(headers) };
        let mut response = WholeResponse::new(text.clone());
        let headers = response.headers_mut();
        harden(headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}
