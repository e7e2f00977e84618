//! The inputs of a configuration: its text, the environment, and the files that it references.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::document::files::{Files, NamedFile};
use crate::config::document::report::Diagnostics;
use crate::config::document::scalar::Environment;

/// Maximum size of the configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The text of a configuration and its environment.
#[derive(Debug)]
pub struct Source {
    /// The name of the file in diagnostics.
    pub(crate) name: String,
    /// The directory that relative paths start from.
    pub(crate) directory: PathBuf,
    pub(crate) text: String,
    pub(crate) environment: Environment,
    /// The file itself. `None` if the text is from elsewhere.
    pub(crate) own: Option<NamedFile>,
    /// The files that it names and that were read.
    pub(crate) files: Files,
}

impl Source {
    /// Reads a file. `${…}` is read from the environment of the process.
    ///
    /// # Errors
    ///
    /// Returns diagnostics if the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let failed = |error: &io::Error| {
            let hint = (error.kind() == io::ErrorKind::NotFound).then(|| "`--config FILE` names the file".to_owned());
            Diagnostics::whole_file(name.clone(), format!("the file cannot be read: {error}"), hint)
        };
        let own = Files::default();
        let bytes = own.read(path, FILE_BYTES_MAX).map_err(|error| failed(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| failed(&io::Error::other("it is not UTF-8")))?;
        let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self {
            name,
            directory,
            text,
            environment: Environment::Process,
            own: own.all().pop(),
            files: Files::default(),
        })
    }

    /// A configuration that is not in a file. Its environment is empty.
    #[must_use]
    pub fn text(name: &str, directory: &Path, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
            text: text.to_owned(),
            environment: Environment::Given(BTreeMap::new()),
            own: None,
            files: Files::default(),
        }
    }

    /// Sets the environment variables.
    #[must_use]
    pub fn with_environment<'a>(mut self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        self.environment = Environment::Given(variables.into_iter().map(own).collect());
        self
    }

    /// Resolves a path relative to the directory of the configuration file.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// The key, secret or certificate file that a setting names. Where systemd has loaded it as a credential, that copy is read:
    /// `LoadCredential=keys-session:…` for `keys/session`. The name of the credential is the path as written in the configuration,
    /// with `-` in place of `/`. systemd sets `CREDENTIALS_DIRECTORY` (systemd.exec(5), "Credentials").
    pub(crate) fn resolve_secret(&self, path: &str) -> PathBuf {
        let credential = self.environment.get("CREDENTIALS_DIRECTORY").map(|directory| {
            // An absolute path has no leading `-`: a credential's name may not begin with a dot or be empty.
            Path::new(&directory).join(path.trim_start_matches('/').replace('/', "-"))
        });
        credential.filter(|file| file.is_file()).unwrap_or_else(|| self.resolve(path))
    }
}
