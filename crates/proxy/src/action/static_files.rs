//! `static`: answers with the files of a directory (decision 86).

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::action::worker::Worker;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::body::Body;
use crate::message::uri::CanonicalRequest;
use crate::message::{Request, Response, forwarded};
use crate::static_files::Asked;
use crate::static_files::disk::{Disk, READ_TIMEOUT};
use crate::static_files::site::{Site, Unanswered};

/// Answers with files.
#[derive(Debug)]
pub struct StaticFiles {
    pub site: Arc<Site>,
    /// The index in [`Worker::disks`].
    pub place: usize,
}

/// What a request asks for.
enum Wanted {
    File(Box<Asked>),
    /// `OPTIONS`.
    Methods(Response),
}

/// The disk took too long for the first bytes of an answer.
#[derive(Debug, thiserror::Error)]
#[error("nothing was read for {} s", READ_TIMEOUT.as_secs())]
struct TooLong;

/// The methods of a file (RFC 9110 §9.3).
pub(crate) const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

impl StaticFiles {
    /// The response.
    ///
    /// # Errors
    ///
    /// [`Reason::NotFound`], [`Reason::StaticMethod`], [`Reason::StaticBusy`], [`Reason::StaticUnreadable`].
    pub(crate) async fn run(
        &self,
        worker: &Worker,
        exchange: &Exchange,
        canonical: &CanonicalRequest,
        request: &Request,
    ) -> Result<Box<Response>, Rejection> {
        let asked = match self.wanted(exchange, canonical, request.headers())? {
            Wanted::File(asked) => asked,
            Wanted::Methods(response) => return Ok(Box::new(response)),
        };
        let place = worker.places.take(network_of(exchange));
        let has_place = place.is_some();
        let (site, disk) = (Arc::clone(&self.site), &worker.disks[self.place]);
        let reading = tokio::time::timeout(READ_TIMEOUT, disk.run(move || site.answer(&asked, has_place)));
        let read = reading.await.map_err(|_| Rejection::new(Reason::StaticUnreadable, TooLong))?;
        let answer = read.map_err(|given_up| Rejection::new(Reason::StaticUnreadable, given_up))?;
        Ok(Box::new(answer.map_err(rejection)?.into_response(disk, place)))
    }

    /// The same on this thread. For `check` only: nothing is sent.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub fn suppose(
        &self,
        exchange: &Exchange,
        canonical: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Result<Response, Rejection> {
        match self.wanted(exchange, canonical, headers)? {
            Wanted::File(asked) => {
                Ok(self.site.answer(&asked, true).map_err(rejection)?.into_response(&Disk::new(), None))
            }
            Wanted::Methods(response) => Ok(response),
        }
    }

    fn wanted(
        &self,
        exchange: &Exchange,
        canonical: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Result<Wanted, Rejection> {
        match canonical.method {
            Method::GET | Method::HEAD => {
                let (boundary, now) = (exchange.id.as_str(), exchange.started_at);
                let asked = self.site.asked(canonical, headers, boundary, now);
                asked.map(|asked| Wanted::File(Box::new(asked))).ok_or_else(|| Reason::NotFound.into())
            }
            Method::OPTIONS => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(header::ALLOW, ALLOW);
                Ok(Wanted::Methods(response))
            }
            _ => Err(Reason::StaticMethod.into()),
        }
    }
}

/// The network whose places an answer takes. `None` for a trusted proxy that does not say whose request it is.
fn network_of(exchange: &Exchange) -> Option<IpAddr> {
    let client = exchange.client.to_canonical();
    (!exchange.connection.forwarded.is_trusted(client)).then(|| forwarded::network(client))
}

fn rejection(unanswered: Unanswered) -> Rejection {
    match unanswered {
        Unanswered::Nothing => Reason::NotFound.into(),
        Unanswered::NotServed(_) => Rejection::new(Reason::NotFound, unanswered),
        Unanswered::NoPlace => Reason::StaticBusy.into(),
        Unanswered::Directory(_) | Unanswered::Cut(_) => Rejection::new(Reason::StaticUnreadable, unanswered),
    }
}
