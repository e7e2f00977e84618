//! Finds the file that answers a request, and makes the answer. Everything here may wait for a disk.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::clock::Timestamp;
use crate::message::caching;
use crate::message::media::{self, Preferred};
use crate::message::uri::CanonicalRequest;
use crate::static_files::answer::{Answer, Asked, fields_of};
use crate::static_files::body::{Content, Cut};
use crate::static_files::condition::{self, Verdict};
use crate::static_files::range::{self, Wanted};
use crate::static_files::settings::Settings;
use crate::static_files::tree::{Entry, Error, Opened, Tree};
use crate::static_files::validator::Validators;
use crate::static_files::{coding, media_type, name};

/// A directory that is served.
#[derive(Debug)]
pub struct Site {
    settings: Settings,
    /// On what the answers depend besides the path, for caches.
    vary: Option<HeaderValue>,
    /// `Cache-Control` of what is not the file of that name: a page in its place, or a redirect. The file may be there a minute later
    /// (attacks D-28).
    short_lived: HeaderValue,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// No file has that name.
    #[error("there is no such file")]
    Nothing,
    /// What has that name is not served. The log says why, the client only that there is nothing.
    #[error("{0}")]
    NotServed(&'static str),
    #[error("the directory cannot be opened")]
    Directory(#[source] std::io::Error),
    /// The answer needs a place, and there is none.
    #[error("there is no place for a large answer")]
    NoPlace,
    #[error(transparent)]
    Cut(#[from] Cut),
}

/// A file that answers.
struct Found {
    name: String,
    opened: Opened,
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        match error {
            Error::Nothing => Self::Nothing,
            Error::NotServed(why) => Self::NotServed(why),
            Error::Unreadable(error) => Self::Cut(Cut::Unreadable(error)),
        }
    }
}

impl Unanswered {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing | Self::NotServed(_))
    }
}

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

impl Site {
    pub fn new(settings: Settings) -> Self {
        let vary = match (settings.precompressed, settings.fallback.is_some()) {
            (true, true) => Some("accept-encoding, accept"),
            (true, false) => Some("accept-encoding"),
            (false, true) => Some("accept"),
            (false, false) => None,
        };
        let short_lived = caching::checked_each_time(&settings.cache_control);
        Self { settings, vary: vary.map(HeaderValue::from_static), short_lived }
    }

    /// What a GET or HEAD asks of this directory. `None` if no file can have the path.
    ///
    /// The path is the one that the rules matched. `boundary` is new for each request.
    pub(crate) fn asked(
        &self,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        boundary: &str,
        now: Timestamp,
    ) -> Option<Asked> {
        // No name has a slash in it. And a path with parameters is not the path without them (attacks P-21).
        if request.has_encoded_slash() {
            return None;
        }
        let path = request.exact_path()?;
        let name = name::below(path, &self.settings.path_prefix, self.settings.dotfiles)?;
        Some(Asked {
            name: name.to_owned(),
            is_directory: path.ends_with('/'),
            with_slash: with_slash(request)?,
            is_head: request.method == Method::HEAD,
            wants_page: media::preferred(headers) == Preferred::Html,
            fields: fields_of(headers),
            boundary: boundary.to_owned(),
            now,
        })
    }

    /// Answers a GET or HEAD. It may wait for a disk. `has_place`: the answer may be large.
    ///
    /// # Errors
    ///
    /// See [`Unanswered`].
    pub(crate) fn answer(&self, asked: &Asked, has_place: bool) -> Result<Answer, Unanswered> {
        let tree = Tree::open(&self.settings.directory).map_err(Unanswered::Directory)?;
        let found = match self.find(&tree, asked) {
            Ok(Some(found)) => self.send(&tree, asked, found),
            Ok(None) => return Ok(self.to_slash(asked)),
            Err(nothing) if nothing.is_nothing() => self.missing(&tree, asked, nothing),
            Err(error) => Err(error),
        };
        let mut answer = found?;
        if !asked.is_head {
            if !has_place && answer.content.is_large() {
                return Err(Unanswered::NoPlace);
            }
            answer.content.read_first()?;
        }
        Ok(answer)
    }

    /// The file of that name, or the index of the directory of that name. `None`: it is a directory with an index, and the path has no slash at
    /// its end, so relative links in the page would lead elsewhere.
    fn find(&self, tree: &Tree, asked: &Asked) -> Result<Option<Found>, Unanswered> {
        let name = &asked.name;
        match tree.entry(name)? {
            Entry::File(opened) if !asked.is_directory => Ok(Some(Found { name: name.clone(), opened })),
            // `page.html/` is not `page.html`.
            Entry::File(_) => Err(Unanswered::Nothing),
            Entry::Directory => {
                let index = self.index(tree, name)?;
                Ok(asked.is_directory.then_some(index))
            }
        }
    }

    /// The first file of `index` that the directory has. There are no listings.
    fn index(&self, tree: &Tree, directory: &str) -> Result<Found, Unanswered> {
        for index in &self.settings.index {
            let name = if directory.is_empty() { index.to_string() } else { format!("{directory}/{index}") };
            match tree.entry(&name) {
                Ok(Entry::File(opened)) => return Ok(Found { name, opened }),
                Ok(Entry::Directory) | Err(Error::Nothing) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Unanswered::Nothing)
    }

    /// The answer if nothing has the name: a page of the site, if it has one.
    fn missing(&self, tree: &Tree, asked: &Asked, nothing: Unanswered) -> Result<Answer, Unanswered> {
        let page = |name: &Option<Box<str>>| -> Result<Option<Found>, Unanswered> {
            let Some(name) = name else { return Ok(None) };
            match tree.entry(name) {
                Ok(Entry::File(opened)) => Ok(Some(Found { name: name.to_string(), opened })),
                Ok(Entry::Directory) | Err(Error::Nothing | Error::NotServed(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        // A script or an image that does not exist must not be the page.
        if asked.wants_page
            && let Some(found) = page(&self.settings.fallback)?
        {
            let mut answer = self.send(tree, asked, found)?;
            answer.headers.insert(header::CACHE_CONTROL, self.short_lived.clone());
            return Ok(answer);
        }
        let Some(found) = page(&self.settings.not_found)? else { return Err(nothing) };
        let (mut headers, opened) = self.representation(tree, asked, found)?;
        headers.remove(header::ACCEPT_RANGES);
        headers.insert(header::CACHE_CONTROL, self.short_lived.clone());
        // Conditions are about what would be answered with 2xx (RFC 9110 §13.2.1).
        Ok(Answer { status: StatusCode::NOT_FOUND, headers, content: whole(opened), is_head: asked.is_head })
    }

    /// A redirect to the same path with a slash. It is relative, so it leads to the same host and below the same prefix, whatever a proxy in
    /// front has made of them (attacks R-24).
    fn to_slash(&self, asked: &Asked) -> Answer {
        let mut headers = self.headers();
        if let Ok(location) = HeaderValue::try_from(asked.with_slash.as_str()) {
            headers.insert(header::LOCATION, location);
        }
        headers.insert(header::CACHE_CONTROL, self.short_lived.clone());
        empty(StatusCode::FOUND, headers, asked)
    }

    /// The file, a part of it, or that the client has it.
    fn send(&self, tree: &Tree, asked: &Asked, found: Found) -> Result<Answer, Unanswered> {
        let (mut headers, opened) = self.representation(tree, asked, found)?;
        let validators = Validators::of(&opened.metadata, asked.now);
        headers.insert(header::ETAG, validators.etag());
        if let Some(date) = validators.last_modified() {
            headers.insert(header::LAST_MODIFIED, date);
        }
        let bare = |status, mut headers: HeaderMap| {
            // Nothing is said of a content that is not sent (RFC 9110 §15.4.5).
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ACCEPT_RANGES] {
                headers.remove(name);
            }
            empty(status, headers, asked)
        };
        match condition::evaluate(&asked.fields, &validators) {
            Verdict::NotModified => return Ok(bare(StatusCode::NOT_MODIFIED, headers)),
            Verdict::Failed => {
                headers.insert(header::CACHE_CONTROL, self.short_lived.clone());
                return Ok(bare(StatusCode::PRECONDITION_FAILED, headers));
            }
            Verdict::Proceed => {}
        }
        let size = opened.metadata.len();
        // RFC 9110 §14.2: `Range` is for GET only.
        let wanted = if !asked.is_head && condition::ranges_apply(&asked.fields, &validators) {
            range::wanted(&asked.fields, size)
        } else {
            Wanted::Whole
        };
        Ok(match wanted {
            Wanted::Whole => Answer { status: StatusCode::OK, headers, content: whole(opened), is_head: asked.is_head },
            Wanted::Unsatisfiable => {
                headers.insert(header::CACHE_CONTROL, self.short_lived.clone());
                let mut answer = bare(StatusCode::RANGE_NOT_SATISFIABLE, headers);
                answer.headers.insert(header::CONTENT_RANGE, text(format!("bytes */{size}")));
                answer
            }
            Wanted::Parts(parts) => partial(opened, headers, &parts, asked),
        })
    }

    /// The header fields of a file, and the file or its compressed copy.
    fn representation(&self, tree: &Tree, asked: &Asked, found: Found) -> Result<(HeaderMap, Opened), Unanswered> {
        let Found { name, mut opened } = found;
        let mut headers = self.headers();
        let extension = media_type::extension(&name);
        let own = extension.as_ref().and_then(|extension| self.settings.content_types.get(extension.as_str()));
        let media_type = own.cloned().unwrap_or_else(|| media_type::of(extension.as_deref()));
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::ACCEPT_RANGES, BYTES);
        if self.settings.precompressed {
            for coding in coding::accepted(&asked.fields) {
                // The file itself is always right, also where its copy cannot be read.
                let Ok(Entry::File(copy)) = tree.entry(&format!("{name}{}", coding.suffix)) else { continue };
                // One that is older was made of another version.
                if seconds(&copy) >= seconds(&opened) {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name));
                    opened = copy;
                    break;
                }
            }
        }
        Ok((headers, opened))
    }

    /// The header fields of every answer.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CACHE_CONTROL, self.settings.cache_control.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if let Some(vary) = &self.vary {
            headers.insert(header::VARY, vary.clone());
        }
        headers
    }
}

/// The last segment of the path with a slash, as a relative reference, and the query (RFC 3986 §4.2). `./` keeps a segment with a colon from
/// being a scheme.
fn with_slash(request: &CanonicalRequest) -> Option<String> {
    let canonical = request.canonical_target().ok()?;
    let path = canonical.as_ref().unwrap_or(&request.target).path();
    let segment = path.rsplit('/').next().unwrap_or_default();
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("./{segment}/{query}"))
}

fn seconds(opened: &Opened) -> i64 {
    std::os::unix::fs::MetadataExt::mtime(&opened.metadata)
}

fn empty(status: StatusCode, headers: HeaderMap, asked: &Asked) -> Answer {
    Answer { status, headers, content: Content::default(), is_head: asked.is_head }
}

fn whole(opened: Opened) -> Content {
    let mut content = Content::default();
    let size = opened.metadata.len();
    content.span(&Arc::new(opened.file), 0, size);
    content
}

/// 206 with one part, or with several (RFC 9110 §14.6).
fn partial(opened: Opened, mut headers: HeaderMap, parts: &[std::ops::Range<u64>], asked: &Asked) -> Answer {
    let (size, file) = (opened.metadata.len(), Arc::new(opened.file));
    let range = |part: &std::ops::Range<u64>| format!("bytes {}-{}/{size}", part.start, part.end - 1);
    let mut content = Content::default();
    if let [part] = parts {
        headers.insert(header::CONTENT_RANGE, text(range(part)));
        content.span(&file, part.start, part.end - part.start);
    } else {
        let boundary = &asked.boundary;
        let multipart = text(format!("multipart/byteranges; boundary={boundary}"));
        let media_type = headers.insert(header::CONTENT_TYPE, multipart);
        let media_type = media_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        for part in parts {
            content.text(format!(
                "\r\n--{boundary}\r\ncontent-type: {media_type}\r\ncontent-range: {}\r\n\r\n",
                range(part)
            ));
            content.span(&file, part.start, part.end - part.start);
        }
        content.text(format!("\r\n--{boundary}--\r\n"));
    }
    Answer { status: StatusCode::PARTIAL_CONTENT, headers, content, is_head: asked.is_head }
}

/// A value that is made of numbers and words of ours.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
