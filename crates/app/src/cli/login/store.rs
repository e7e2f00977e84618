//! Where tokens are kept: one file for each origin of applications, which only the user can read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use rustix::fs::OFlags;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::cli::files;
use crate::crypto::octets;
use crate::secret::Secret;
use crate::token_client::sign_in::covers;

/// Most grants for one origin. The oldest goes.
const ENTRIES_MAX: usize = 50;

/// A grant, with its current token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The address of the application, as it names itself.
    pub(super) resource: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    /// `--scope`.
    pub(super) asked_scope: Option<String>,
    /// Whether the issuer was told the resource.
    pub(super) names_resource: bool,
    /// What was granted, if the issuer said it.
    pub(super) scope: Option<String>,
    #[serde(serialize_with = "expose", deserialize_with = "wrap")]
    pub(super) access_token: Secret<String>,
    /// Seconds since the Unix epoch.
    pub(super) expires_at: u64,
    #[serde(serialize_with = "expose_some", deserialize_with = "wrap_some")]
    pub(super) refresh_token: Option<Secret<String>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Entries {
    entries: Vec<Entry>,
}

impl Entry {
    /// Whether the token is for an address. One for another application never is.
    pub(super) fn is_for(&self, url: &Url) -> bool {
        Url::parse(&self.resource).is_ok_and(|resource| covers(&resource, url))
    }

    /// Whether `other` takes the place of this one.
    pub(super) fn is_same_grant(&self, other: &Self) -> bool {
        let key = |entry: &Self| {
            (entry.resource.clone(), entry.issuer.clone(), entry.client_id.clone(), entry.asked_scope.clone())
        };
        key(self) == key(other)
    }
}

/// The file for one origin.
#[derive(Debug)]
pub(super) struct Store {
    file: PathBuf,
    lock: PathBuf,
}

/// The file, while no other process of this user changes it.
#[derive(Debug)]
pub(super) struct Locked<'s> {
    store: &'s Store,
    _lock: File,
}

impl Store {
    /// The file for the origin of an address, in the folder for the state of programs (XDG Base Directory Specification).
    pub(super) fn of(url: &Url) -> anyhow::Result<Self> {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        let state = state.ok_or_else(|| anyhow!("there is no folder to keep tokens in: set XDG_STATE_HOME or HOME"))?;
        Self::within(&state.join("vestibule"), url)
    }

    fn within(folder: &Path, url: &Url) -> anyhow::Result<Self> {
        files::folder(folder, "XDG_STATE_HOME")?;
        let hash = octets::sha256(url.origin().ascii_serialization().as_bytes());
        let name: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { file: folder.join(format!("tokens-{name}.json")), lock: folder.join(format!("tokens-{name}.lock")) })
    }

    /// What is kept. A writer replaces the file as a whole, so reading needs no lock.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Entry>> {
        let text = match files::read_secret(&self.file) {
            Ok(text) => Secret::new(text),
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let entries: Entries = serde_json::from_str(text.expose())
            // Its position only: the file has tokens.
            .map_err(|error| anyhow!("{} cannot be read (line {}): remove it", self.file.display(), error.line()))?;
        Ok(entries.entries)
    }

    /// Locks the file against other processes of this program. Calls `waits` if one has it.
    pub(super) fn lock(&self, waits: impl FnOnce()) -> anyhow::Result<Locked<'_>> {
        let failed = || format!("cannot lock {}", self.lock.display());
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let lock = options.open(&self.lock).with_context(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waits();
                lock.lock().with_context(failed)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
        }
        Ok(Locked { store: self, _lock: lock })
    }
}

impl Locked<'_> {
    /// Keeps these entries, and no others.
    pub(super) fn write(&self, entries: &[Entry]) -> anyhow::Result<()> {
        let last = entries[entries.len().saturating_sub(ENTRIES_MAX)..].to_vec();
        let text = Secret::new(serde_json::to_string_pretty(&Entries { entries: last })?);
        files::write_secret(&self.store.file, text.expose().as_bytes())
    }
}

fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

fn expose<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.expose().serialize(serializer)
}

fn expose_some<S: Serializer>(secret: &Option<Secret<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn wrap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

fn wrap_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::testing::temporary_directory;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn entry(resource: &str, issuer: &str) -> Entry {
        Entry {
            resource: resource.into(),
            issuer: issuer.into(),
            client_id: "cli".into(),
            asked_scope: None,
            names_resource: true,
            scope: Some("openid".into()),
            access_token: Secret::new("s3cret".into()),
            expires_at: 7,
            refresh_token: Some(Secret::new("s3cret-too".into())),
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_nobody_else_can_read_it() {
        let directory = temporary_directory("login-store");
        let folder = directory.join("vestibule");
        let store = Store::within(&folder, &url("https://app.test/x")).unwrap();
        assert!(store.read().unwrap().is_empty());
        let entries = [entry("https://app.test", "https://a.test"), entry("https://app.test/mcp", "https://b.test")];
        store.lock(|| panic!("nobody has it")).unwrap().write(&entries).unwrap();
        // Another address of the same origin has the same file, another origin has not.
        let same = Store::within(&folder, &url("https://app.test/y?z")).unwrap().read().unwrap();
        assert_eq!(same.len(), 2);
        assert_eq!(same[1].access_token.expose(), "s3cret");
        assert_eq!(same[1].refresh_token.as_ref().unwrap().expose(), "s3cret-too");
        assert!(Store::within(&folder, &url("https://app.test:8443/")).unwrap().read().unwrap().is_empty());
        for path in [&store.file, &store.lock] {
            assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
        }
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert!(!format!("{same:?}").contains("s3cret"));
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_broken_is_refused_without_its_content() {
        let directory = temporary_directory("login-broken");
        let store = Store::within(&directory.join("v"), &url("https://app.test/")).unwrap();
        files::write(&store.file, b"{}").unwrap();
        assert!(store.read().unwrap_err().to_string().contains("chmod 600"));
        files::write_secret(&store.file, br#"{"entries":[{"access_token":"s3cret"}]}"#).unwrap();
        let told = format!("{:#}", store.read().unwrap_err());
        assert!(told.contains("remove it") && !told.contains("s3cret"), "{told}");
    }

    #[test]
    fn one_process_at_a_time_changes_it() {
        let directory = temporary_directory("login-lock");
        let store = Store::within(&directory.join("v"), &url("https://app.test/")).unwrap();
        let held = store.lock(|| panic!("nobody has it")).unwrap();
        let waits = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| store.lock(|| _ = waits.wait()).is_ok());
            // It says that it waits before it does.
            waits.wait();
            drop(held);
            assert!(other.join().unwrap());
        });
    }

    #[test]
    fn a_token_is_for_its_application_only() {
        let entry = entry("https://app.test/mcp", "https://a.test");
        assert!(entry.is_for(&url("https://app.test/mcp/x")));
        for other in [
            "https://app.test/",
            "https://app.test/mcpx",
            "http://app.test/mcp",
            "https://app.test:8443/mcp",
            "https://evil.test/mcp",
        ] {
            assert!(!entry.is_for(&url(other)), "{other}");
        }
    }
}
