//! Files that commands write: whole or not at all.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// Writes a file that everyone may read.
pub(crate) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_with(path, content, 0o644)
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_with(path, content, 0o600)
}

/// Beside its place first, then moved: a command that is interrupted leaves no half of a key.
fn write_with(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let failed = || format!("cannot write {}", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&beside).with_context(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).with_context(failed)?;
    std::fs::rename(&beside, path).with_context(failed)
}
