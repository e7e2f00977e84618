//! `fixed-response` (ALB §7.3).

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::action::settings::FixedResponseSettings;
use crate::message::Response;
use crate::message::body::Body;

/// Answers every request with the same response.
#[derive(Debug)]
pub struct FixedResponse {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
}

impl FixedResponse {
    pub fn new(settings: FixedResponseSettings) -> Self {
        Self { status: settings.status, content_type: settings.content_type, body: settings.body }
    }

    /// The response.
    pub fn run(&self) -> Response {
        let mut response = Response::new(Body::full(self.body.clone()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, self.content_type.clone());
        response
    }
}
