//! The folder with the account and the certificates. Its mode is 0700, that of its files 0600.
//!
//! A file is replaced as a whole: it is written under another name, and renamed. So there is always the old one or the new one,
//! and the chain and the key in it belong together. The files are small, and written once in weeks: the control runtime waits for the disk.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::certificate::acme::error::Error;
use crate::certificate::chain::Certificate;
use crate::crypto::octets;
use crate::secret::Secret;

/// Maximum size of a file that is read. A chain with a key has a few KB.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// The name of the account file. An account belongs to one authority.
    account: String,
}

impl Store {
    /// The folder is not created before something is written.
    pub(super) fn new(folder: &Path, directory: &str) -> Self {
        let hash = octets::sha256(directory.as_bytes());
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { folder: folder.to_owned(), account: format!("account-{hash}.json") }
    }

    /// The certificate of a name and its key. `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if there is a file and it cannot be used.
    pub(super) fn certificate(&self, name: &str) -> Result<Option<Certificate>, Error> {
        let Some(text) = self.read(&certificate_file(name))? else { return Ok(None) };
        Ok(Some(Certificate::from_pem(text.expose(), &text)?))
    }

    /// Keeps a certificate. `text` has its key and its chain in PEM form.
    pub(super) fn keep_certificate(&self, name: &str, text: &Secret<String>) -> Result<(), Error> {
        self.replace(&certificate_file(name), text)
    }

    pub(super) fn account(&self) -> Result<Option<Secret<String>>, Error> {
        self.read(&self.account)
    }

    pub(super) fn keep_account(&self, text: &Secret<String>) -> Result<(), Error> {
        self.replace(&self.account, text)
    }

    pub(super) fn forget_account(&self) -> Result<(), Error> {
        Ok(std::fs::remove_file(self.folder.join(&self.account))?)
    }

    fn read(&self, file: &str) -> Result<Option<Secret<String>>, Error> {
        let path = self.folder.join(file);
        let length = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if length > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("{file} is larger than 256 KiB")).into());
        }
        Ok(Some(Secret::new(std::fs::read_to_string(&path)?)))
    }

    fn replace(&self, file: &str, text: &Secret<String>) -> Result<(), Error> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // No name of a certificate begins with a dot.
        let new = self.folder.join(format!(".new-{file}"));
        // What a process left behind that was killed.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        opened.write_all(text.expose().as_bytes())?;
        opened.sync_all()?;
        std::fs::rename(&new, self.folder.join(file))?;
        std::fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}

/// Names are validated: letters, digits, hyphens and dots, no dot at the start.
fn certificate_file(name: &str) -> String {
    format!("{name}.pem")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::temporary_directory;

    #[test]
    fn what_is_kept_is_read_again_and_a_killed_process_leaves_no_trouble() {
        let folder = temporary_directory("acme-store");
        let store = Store::new(&folder.join("new/acme"), "https://acme.test/directory");
        assert!(store.certificate("app.test").unwrap().is_none() && store.account().unwrap().is_none());
        let pair = rcgen::generate_simple_self_signed(vec!["app.test".to_owned()]).unwrap();
        let text = Secret::new(pair.signing_key.serialize_pem() + &pair.cert.pem());
        store.keep_certificate("app.test", &text).unwrap();
        std::fs::write(folder.join("new/acme/.new-app.test.pem"), "half").unwrap();
        store.keep_certificate("app.test", &text).unwrap();
        assert_eq!(store.certificate("app.test").unwrap().unwrap().facts.names, ["app.test"]);
        store.keep_account(&Secret::new("an account".to_owned())).unwrap();
        assert_eq!(store.account().unwrap().unwrap().expose(), "an account");
        // An account is for one authority.
        let other = Store::new(&folder.join("new/acme"), "https://other.test/directory");
        assert!(other.account().unwrap().is_none());
        store.forget_account().unwrap();
        assert!(store.account().unwrap().is_none());
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_certificate() {
        let folder = temporary_directory("acme-damaged");
        let store = Store::new(&folder, "https://acme.test/directory");
        for text in ["", "-----BEGIN CERTIFICATE-----\n", &"a".repeat(300 * 1024)] {
            std::fs::write(folder.join("app.test.pem"), text).unwrap();
            assert!(store.certificate("app.test").is_err());
        }
    }
}
