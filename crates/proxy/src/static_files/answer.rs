//! What is asked of a directory, and what it answers. Both can be sent to another thread.

use http::{HeaderMap, StatusCode};

use crate::clock::Timestamp;
use crate::message::Response;
use crate::message::body::Body;
use crate::static_files::body::{Content, FileBody};
use crate::static_files::condition::FIELDS;
use crate::static_files::disk::{Disk, READ_TIMEOUT};
use crate::static_files::places::Place;

/// A GET or HEAD.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The name below the directory, without slashes at its ends. Empty: the directory itself.
    pub(super) name: String,
    /// Whether the path ends with a slash.
    pub(super) is_directory: bool,
    /// Where the same directory is with a slash at its end, relative to the path of the request.
    pub(super) with_slash: String,
    pub(super) is_head: bool,
    /// Whether the client wants a page: it names `text/html` in `Accept`.
    pub(super) wants_page: bool,
    /// The fields that matter to a file.
    pub(super) fields: HeaderMap,
    /// Separates the parts of a file. No file can have it in it, because it is new for each request.
    pub(super) boundary: String,
    pub(super) now: Timestamp,
}

/// The fields of `headers` that matter to a file.
pub(super) fn fields_of(headers: &HeaderMap) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for name in FIELDS {
        for value in headers.get_all(&name) {
            fields.append(name.clone(), value.clone());
        }
    }
    fields
}

/// An answer without its connection.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    /// Whether only the head is sent.
    pub(super) is_head: bool,
}

impl Answer {
    /// The response. Its body is read by `disk` while it is sent, and keeps `place` if it is large.
    pub(crate) fn into_response(self, disk: &Disk, place: Option<Place>) -> Response {
        let Self { status, headers, content, is_head } = self;
        let length = content.length();
        let mut body = match length {
            0 => Body::empty(),
            // The length that the answer to a GET would have (RFC 9110 §9.3.2).
            _ if is_head => Body::promised(length),
            _ => Body::streaming(FileBody::new(content, disk.clone(), place)),
        };
        if !is_head {
            body.limit_idle(READ_TIMEOUT);
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
