//! What tells one version of a file from another: `ETag` and `Last-Modified` (RFC 9110 §8.8).

use std::fmt::Write as _;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::crypto::octets;

/// The validators of a file that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    /// With its quotes, without `W/`.
    pub(super) tag: String,
    /// Whether two versions of the file could have the same tag.
    pub(super) is_weak: bool,
    /// When the file was last changed, in seconds. `None` if a change within this second could have the same date, or the date cannot be
    /// written.
    pub(super) modified: Option<u64>,
}

/// How long after its last change a file has a weak tag. File systems give times in steps: two changes in one step, of the same
/// size, have the same tag (RFC 9110 §8.8.1). The longest steps are two seconds (FAT).
const UNSETTLED: Duration = Duration::from_secs(2);

/// The last second of the year 9999, the last one that a date of HTTP can have.
const LAST_DATE: u64 = 253_402_300_799;

impl Validators {
    /// The tag is made of the size, the inode, the time of the last change of the content, and that of the file's data in the directory
    /// (`ctime`). Nobody can set the last one. Without it, a deployment that gives all files one time (a reproducible build, an image) would
    /// give two versions of the same size the same tag. The tag is a digest, because an inode is nobody's business.
    pub(super) fn of(metadata: &Metadata, now: Timestamp) -> Self {
        let numbers = [
            metadata.size() as i64,
            metadata.ino() as i64,
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ];
        let digest = octets::sha256(&numbers.map(i64::to_be_bytes).concat());
        let mut tag = String::with_capacity(26);
        tag.push('"');
        for byte in &digest[..12] {
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        let is_settled = |seconds: i64| {
            let settled = u64::try_from(seconds).unwrap_or(0).saturating_add(UNSETTLED.as_secs());
            settled <= now.seconds()
        };
        let modified = u64::try_from(metadata.mtime()).ok().filter(|seconds| *seconds <= LAST_DATE);
        Self {
            tag,
            is_weak: !(is_settled(metadata.mtime()) && is_settled(metadata.ctime())),
            // A date after that of the answer must not be sent (RFC 9110 §8.8.2.1).
            modified: modified.filter(|_| is_settled(metadata.mtime())),
        }
    }

    /// `ETag`.
    pub(super) fn etag(&self) -> HeaderValue {
        let value = if self.is_weak { format!("W/{}", self.tag) } else { self.tag.clone() };
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("W/\"\""))
    }

    /// `Last-Modified`.
    pub(super) fn last_modified(&self) -> Option<HeaderValue> {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.modified?));
        HeaderValue::try_from(date).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;
    use crate::testing::{Directory, temporary_directory};

    fn file(name: &str, modified: SystemTime) -> (Directory, Metadata) {
        let directory = temporary_directory(name);
        std::fs::write(directory.join("f"), "text").unwrap();
        let file = File::options().write(true).open(directory.join("f")).unwrap();
        file.set_modified(modified).unwrap();
        let metadata = file.metadata().unwrap();
        (directory, metadata)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_tag_is_strong_when_no_change_can_have_the_same_one() {
        let (_directory, metadata) = file("strong", UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        let changed = metadata.ctime() as u64;
        let fresh = Validators::of(&metadata, at(changed + 1));
        assert!(fresh.is_weak && fresh.etag().as_bytes().starts_with(b"W/\""));
        let settled = Validators::of(&metadata, at(changed + 2));
        assert!(!settled.is_weak && settled.etag().as_bytes().starts_with(b"\""));
        assert_eq!(settled.tag, fresh.tag);
        assert_eq!(settled.last_modified().unwrap(), "Sun, 09 Sep 2001 01:46:40 GMT");
    }

    #[test]
    fn another_version_has_another_tag_even_with_the_same_size_and_time() {
        let modified = UNIX_EPOCH + Duration::from_secs(1);
        let (_one, first) = file("first", modified);
        let (_other, second) = file("second", modified);
        let now = at(first.ctime() as u64 + 10);
        assert_ne!(Validators::of(&first, now).tag, Validators::of(&second, now).tag);
    }

    #[test]
    fn a_date_that_cannot_be_written_is_left_out() {
        for (name, modified) in [
            ("before", UNIX_EPOCH - Duration::from_secs(1)),
            ("future", UNIX_EPOCH + Duration::from_secs(5_000_000_000)),
        ] {
            let (_directory, metadata) = file(name, modified);
            let validators = Validators::of(&metadata, at(metadata.ctime() as u64 + 10));
            assert_eq!(validators.last_modified(), None, "{name}");
        }
        let (_directory, metadata) = file("far", UNIX_EPOCH + Duration::from_secs(5_000_000_000));
        assert!(Validators::of(&metadata, at(u64::MAX / 1000)).last_modified().is_some());
        let validators = Validators { tag: String::new(), is_weak: false, modified: Some(LAST_DATE) };
        assert_eq!(validators.last_modified().unwrap(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
