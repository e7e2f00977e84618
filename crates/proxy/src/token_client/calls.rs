//! Calls of one sign-in. Answers are bounded by the back channel; redirects are not followed.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::backchannel::call::Backchannel;
use crate::message::{WholeResponse, form};
use crate::oidc::document::Document;
use crate::token_client::address::{self, Place};
use crate::token_client::error::Error;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Makes the calls of one sign-in.
#[derive(Clone, Debug)]
pub struct Calls {
    backchannel: Arc<dyn Backchannel>,
    /// Where the application is.
    pub(super) place: Place,
}

impl Calls {
    /// Calls for an application at this place.
    pub fn new(backchannel: Arc<dyn Backchannel>, place: Place) -> Self {
        Self { backchannel, place }
    }

    /// An answer, whatever its status.
    pub(super) async fn get(&self, url: &Url) -> Result<WholeResponse, Error> {
        self.send(Method::GET, url, None, Bytes::new()).await
    }

    /// The JSON object at an address. `None` if there is none.
    pub(super) async fn document(&self, url: &Url) -> Result<Option<Document>, Error> {
        let answer = self.get(url).await?;
        let is_there = answer.status() == StatusCode::OK;
        Ok(is_there.then(|| Document::read(answer.body()).ok()).flatten())
    }

    /// Sends a form to an endpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it says an error of OAuth; [`Error::Status`], [`Error::Call`].
    pub(super) async fn post_form(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Document, Error> {
        self.post(url, FORM, form::encode(fields.iter().copied()).into()).await
    }

    /// Sends JSON to an endpoint. The errors are those of [`post_form`](Self::post_form).
    pub(super) async fn post_json(&self, url: &Url, body: &Value) -> Result<Document, Error> {
        self.post(url, JSON, body.to_string().into()).await
    }

    async fn post(&self, url: &Url, kind: HeaderValue, body: Bytes) -> Result<Document, Error> {
        let answer = self.send(Method::POST, url, Some(kind), body).await?;
        let document = Document::read(answer.body());
        match (answer.status(), document) {
            (status, Ok(document)) if status.is_success() && !document.0.contains_key("error") => Ok(document),
            // An endpoint that has nothing to say (RFC 7009 §2.2).
            (StatusCode::OK, Err(_)) if answer.body().is_empty() => Ok(Document::default()),
            (status, Err(fault)) if status.is_success() => Err(Error::Answer(url.as_str().into(), fault)),
            (status, document) => Err(Error::of_endpoint(url, status.as_u16(), document.ok().as_ref())),
        }
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        kind: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<WholeResponse, Error> {
        let unusable = |why| Error::address("this sign-in", "an address", url.as_str(), why);
        address::check(url, self.place).map_err(unusable)?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|_| unusable("is not an address of HTTP"))?;
        request.headers_mut().insert(header::ACCEPT, JSON);
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        self.backchannel.call(request).await.map_err(|error| Error::Call(url.as_str().into(), error))
    }
}
