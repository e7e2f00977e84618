//! Reads files with secrets, keys and certificates. Each way in which a file is unusable has its own diagnostic.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path as FilePath, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::document::findings::{Findings, Problem, Reported};
use crate::config::document::path::Path;
use crate::config::keys::{self, Kind, MissingKey};
use crate::config::raw::value::{List, SecretText};
use crate::config::validate::context::Context;
use crate::crypto::aead::Key;
use crate::jose::signing_key::{self, Algorithm, PublicKey, SigningKey};
use crate::secret::Secret;

/// Maximum size of a key, secret or certificate file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads a text file that must exist.
pub(super) fn text(path: &str, at: &Path, context: &mut Context<'_>) -> Result<Secret<String>, Reported> {
    let file = context.source.resolve_secret(path);
    read(&file, context).map_err(|error| unreadable(&file, &error, at, &mut context.found))
}

/// Reads a file that must exist and that need not be text.
pub(super) fn bytes(path: &str, at: &Path, context: &mut Context<'_>) -> Result<Vec<u8>, Reported> {
    bytes_up_to(FILE_BYTES_MAX, path, at, context)
}

/// The same for a file of at most `max` bytes.
pub(super) fn bytes_up_to(max: u64, path: &str, at: &Path, context: &mut Context<'_>) -> Result<Vec<u8>, Reported> {
    let file = context.source.resolve_secret(path);
    context.source.files.read(&file, max).map_err(|error| unreadable(&file, &error, at, &mut context.found))
}

/// Reads a text file that must exist and that only its owner and group should be able to read.
pub(super) fn secret_text(path: &str, at: &Path, context: &mut Context<'_>) -> Result<Secret<String>, Reported> {
    let text = text(path, at, context)?;
    warn_of_readers(&context.source.resolve_secret(path), at, &mut context.found);
    Ok(text)
}

/// Warns if every user of the machine can read a file that contains a secret.
fn warn_of_readers(file: &FilePath, at: &Path, found: &mut Findings) {
    const READABLE_BY_OTHERS: u32 = 0o004;
    if std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & READABLE_BY_OTHERS != 0) {
        let shown = file.display();
        let warning =
            found.warning(at, format!("every user of this machine can read `{shown}`, which contains a secret"));
        warning.hint(format!("run `chmod o-rwx {shown}`"));
    }
}

/// A secret from the configuration or from its own file. `None` if neither is set.
pub(super) fn secret(
    inline: Option<&SecretText>,
    file: Option<&String>,
    (key, file_key): (&str, &str),
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Secret<String>>, Reported> {
    if let Some(reported) = context.found.concern(&at.key(key)).or_else(|| context.found.concern(&at.key(file_key))) {
        return Err(reported);
    }
    let (secret, at) = match (inline, file) {
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key(file_key), format!("both `{key}` and `{file_key}` are set"));
            return problem.label(&at.key(key), "the other one").hint("keep one").fail();
        }
        (None, None) => return Ok(None),
        (Some(SecretText(secret)), None) => (secret.clone(), at.key(key)),
        (None, Some(file)) => {
            let at = at.key(file_key);
            let text = secret_text(file, &at, context)?;
            // Editors append a newline to a file; it is not part of the secret.
            let trimmed = text.expose().trim_end_matches(['\r', '\n']).to_owned();
            (Secret::new(trimmed), at)
        }
    };
    if secret.expose().is_empty() {
        return context.found.problem(&at, "the secret is empty").fail();
    }
    Ok(Some(secret))
}

/// A ring of keys for sessions or tickets. It is never empty.
pub(super) fn secret_keys(
    files: &List<String>,
    kind: Kind,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<Key>, Reported> {
    let creates = format!("`{}` creates one", kind.command("FILE"));
    if files.is_empty() {
        return context.found.problem(at, "expected at least one file").hint(creates).fail();
    }
    context.each_item(files, at, |file, at, context| {
        let text = key_text(file, kind, at, context)?;
        match keys::secret_key(&text) {
            Ok(bytes) => Ok(Key::new(&bytes)),
            Err(error) => {
                let message = format!("the file `{}` {error}", context.source.resolve_secret(file).display());
                context.found.problem(at, message).hint(creates.clone()).fail()
            }
        }
    })
}

/// The private key that signs with `algorithm`.
pub(super) fn signing_key(
    file: &str,
    algorithm: Algorithm,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<SigningKey, Reported> {
    let text = key_text(file, Kind::Signing(algorithm), at, context)?;
    parse_signing_key(&text, file, algorithm, at, context)
}

/// Keys that are only published, from their public or private halves. They are never created. If `algorithm` is set, all keys must
/// be of that algorithm.
pub(super) fn public_keys(
    files: &List<String>,
    algorithm: Option<Algorithm>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<PublicKey>, Reported> {
    context.each_item(files, at, |file, at, context| {
        let text = text(file, at, context)?;
        let key = match SigningKey::from_pem(&text) {
            Err(signing_key::Error::NotPem) => PublicKey::from_pem(&text),
            private => {
                warn_of_readers(&context.source.resolve_secret(file), at, &mut context.found);
                private.map(|key| key.public().clone())
            }
        };
        let wrong = match key {
            Ok(key) => match other_algorithm(key.algorithm(), algorithm) {
                None => return Ok(key),
                Some(wrong) => wrong,
            },
            Err(error) => error.to_string(),
        };
        let problem = wrong_key(file, &wrong, at, context);
        problem
            .hint("`openssl pkey -in PRIVATE_KEY_FILE -pubout -out FILE` writes the public key of a private one")
            .fail()
    })
}

/// The certificates of a certificate authority.
pub(super) fn roots(
    file: &str,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<CertificateDer<'static>>, Reported> {
    let text = text(file, at, context)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose().as_bytes()).collect();
    let sound = |all: &Vec<CertificateDer<'static>>| {
        !all.is_empty() && all.iter().all(|one| rustls::RootCertStore::empty().add(one.clone()).is_ok())
    };
    parsed.ok().filter(sound).ok_or_else(|| {
        let file = context.source.resolve_secret(file);
        let message = format!("the file `{}` contains no certificates in PEM format", file.display());
        context.found.problem(at, message).reported()
    })
}

fn parse_signing_key(
    text: &Secret<String>,
    file: &str,
    algorithm: Algorithm,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<SigningKey, Reported> {
    let wrong = match SigningKey::from_pem(text) {
        Ok(key) => match other_algorithm(key.algorithm(), Some(algorithm)) {
            None => return Ok(key),
            Some(wrong) => wrong,
        },
        Err(error) => error.to_string(),
    };
    let problem = wrong_key(file, &wrong, at, context);
    problem.hint(format!("`{}` creates one", Kind::Signing(algorithm).command("FILE"))).fail()
}

/// What is wrong with a key that is not for the algorithm that is required.
fn other_algorithm(found: Algorithm, required: Option<Algorithm>) -> Option<String> {
    let required = required.filter(|required| *required != found)?;
    Some(format!("a key for {}, but a key for {} is required", found.name(), required.name()))
}

fn wrong_key<'f>(file: &str, wrong: &str, at: &Path, context: &'f mut Context<'_>) -> Problem<'f> {
    let shown = context.source.resolve_secret(file);
    context.found.problem(at, format!("the file `{}` is {wrong}", shown.display()))
}

/// The text of a key file.
fn key_text(file: &str, kind: Kind, at: &Path, context: &mut Context<'_>) -> Result<Secret<String>, Reported> {
    let path = context.source.resolve_secret(file);
    let content = match kind {
        Kind::Session | Kind::Ticket | Kind::Store => read_secret_key(&path, context),
        Kind::Signing(_) => read(&path, context),
    };
    match content {
        Ok(text) => {
            warn_of_readers(&path, at, &mut context.found);
            Ok(text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(path, kind, at, context)),
        Err(error) => Err(unreadable(&path, &error, at, &mut context.found)),
    }
}

fn missing(file: PathBuf, kind: Kind, at: &Path, context: &mut Context<'_>) -> Reported {
    let shown = file.display();
    if let Some(cause) = context.not_made.get(&file) {
        return context.found.problem(at, format!("the key file `{shown}` cannot be created: {cause}")).reported();
    }
    let command = kind.command(&shown.to_string());
    let problem = context.found.problem(at, format!("the key file `{shown}` does not exist"));
    let reported = problem.hint(format!("`{command}` creates it; all replicas need the same key")).reported();
    context.missing_keys.push(MissingKey { file, kind });
    reported
}

fn read(path: &FilePath, context: &Context<'_>) -> io::Result<Secret<String>> {
    let bytes = context.source.files.read(path, FILE_BYTES_MAX)?;
    String::from_utf8(bytes).map(Secret::new).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// A key file for sessions or tickets may also contain the 32 bytes of the key directly.
fn read_secret_key(path: &FilePath, context: &Context<'_>) -> io::Result<Secret<String>> {
    context.source.files.read(path, FILE_BYTES_MAX).map(keys::secret_key_text)
}

fn unreadable(path: &FilePath, error: &io::Error, at: &Path, found: &mut Findings) -> Reported {
    found.problem(at, format!("the file `{}` cannot be read: {}", path.display(), keys::cause(error))).reported()
}
