//! Reads and writes files of commands. Files are written completely or not at all. Files and links that another user
//! placed in a shared folder are never followed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::crypto::octets;

/// Mode bits that let others write, or let others do anything.
const OTHERS_WRITE: u32 = 0o022;
const OTHERS: u32 = 0o077;

/// Writes a file that everyone can read.
pub(crate) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_with(path, content, 0o644)
}

/// Writes a file with mode 0600.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_with(path, content, 0o600)
}

/// Writes to a temporary file in the same folder and renames it. An interrupted command leaves no partial key, and a
/// link at the destination is replaced, not followed. The temporary name is unpredictable, and an existing file of
/// that name is an error.
fn write_with(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let beside = path.with_extension(format!("{}.new", &octets::token()[..16]));
    let failed = || format!("cannot write {}", path.display());
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&beside).with_context(failed)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // Only the error above is reported.
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(failed)
}

/// Refuses a file that exists, before it takes long to make it.
pub(crate) fn must_be_new(path: &Path) -> anyhow::Result<()> {
    if path.symlink_metadata().is_ok() {
        bail!("{} exists, and is not replaced: name another file with --out, or remove that one first", path.display());
    }
    Ok(())
}

/// Creates a new file with mode 0600.
pub(crate) fn create_secret(path: &Path) -> anyhow::Result<File> {
    must_be_new(path)?;
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.with_context(|| format!("{} cannot be created", path.display()))
}

/// Reads a file that belongs to the current user and that nobody else can read.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<String> {
    let failed = || format!("cannot read {}", path.display());
    // `Oflags` are unsigned; the standard library uses signed flags. Non-blocking, because another user may have
    // placed a pipe there.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file: File = OpenOptions::new().read(true).custom_flags(flags).open(path).with_context(failed)?;
    let metadata = file.metadata().with_context(failed)?;
    if !metadata.is_file() || metadata.uid() != geteuid().as_raw() {
        bail!("{} belongs to another user or is not a regular file: remove it", path.display());
    }
    if metadata.mode() & OTHERS != 0 {
        bail!("other users can read or write {}: run `chmod 600` on it, or remove it", path.display());
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(failed)?;
    Ok(text)
}

/// Creates a folder with mode 0700, if it does not exist. Refuses a folder in which another user can write; `setting` chooses another one.
pub(crate) fn folder(path: &Path, setting: &str) -> anyhow::Result<()> {
    let failed = || format!("cannot create {}", path.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(failed)?;
    let us = geteuid().as_raw();
    // A link is refused, because its owner can change it.
    let link = std::fs::symlink_metadata(path).with_context(failed)?;
    let metadata = std::fs::metadata(path).with_context(failed)?;
    if link.uid() != us || metadata.uid() != us {
        bail!("{} belongs to another user: choose another folder with {setting}", path.display());
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        bail!(
            "other users can write to {}: run `chmod 700` on it, or choose another folder with {setting}",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::testing::temporary_directory;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_link_in_the_files_place_is_replaced_and_not_followed() {
        let directory = temporary_directory("planted");
        let (victim, key) = (directory.join("victim"), directory.join("ca-key.pem"));
        std::fs::write(&victim, "precious").unwrap();
        // Where an earlier version wrote first, too.
        for planted in [&key, &directory.join("ca-key.new")] {
            symlink(&victim, planted).unwrap();
        }
        write_secret(&key, b"secret").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert!(std::fs::symlink_metadata(&key).unwrap().is_file());
        assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_secret(&key).unwrap(), "secret");
    }

    #[test]
    fn a_secret_that_somebody_else_could_have_written_is_not_read() {
        let directory = temporary_directory("secrets");
        let (key, link) = (directory.join("key"), directory.join("link"));
        write_secret(&key, b"secret").unwrap();
        symlink(&key, &link).unwrap();
        assert!(read_secret(&link).is_err(), "a link");
        for mode in [0o644, 0o660, 0o602] {
            chmod(&key, mode);
            let refused = read_secret(&key).unwrap_err().to_string();
            assert!(refused.contains("chmod 600"), "{mode:o}: {refused}");
        }
        assert!(read_secret(&directory).is_err(), "a folder");
        chmod(&key, 0o600);
        assert_eq!(read_secret(&key).unwrap(), "secret");
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let directory = temporary_directory("state");
        let (state, link) = (directory.join("a/b"), directory.join("link"));
        folder(&state, "--state").unwrap();
        assert_eq!(std::fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
        for mode in [0o777, 0o1777, 0o770] {
            chmod(&state, mode);
            assert!(folder(&state, "--state").unwrap_err().to_string().contains("chmod 700"), "{mode:o}");
        }
        // Readable is not writable.
        chmod(&state, 0o755);
        folder(&state, "--state").unwrap();
        symlink(&state, &link).unwrap();
        folder(&link, "--state").unwrap();
        chmod(&state, 0o777);
        assert!(folder(&link, "--state").is_err());
        chmod(&state, 0o700);
    }
}
