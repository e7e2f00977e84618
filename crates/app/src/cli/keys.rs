//! `keys`: creates keys for sessions, signatures and session tickets.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::terminal::print;
use crate::config::keys;
use crate::jose::signing_key::SigningKey;
use crate::secret::Secret;

/// Creates the keys that a configuration needs. All replicas need the same keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Keys {
    /// Creates a key for `session.key_files`: 256 random bits that encrypt session cookies.
    Session(To),
    /// Creates a key for `claims.signing_key_file` or a user pool: a private key in PEM format.
    Signing {
        /// The signature algorithm. `claims.signing_key_file` needs `es256`; `rs256` is for `rs256_signing_key_file`
        /// of a user pool.
        #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
        algorithm: Algorithm,
        #[command(flatten)]
        to: To,
    },
    /// Creates a key for `ticket_key_files` of a listener: 256 random bits that encrypt TLS session tickets.
    Ticket(To),
    /// Creates a key for `store.key_files` of a user pool: 256 random bits that encrypt columns of its database.
    Store(To),
}

/// The signature algorithm of a key.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// RSA with 2048 bits.
    Rs256,
}

/// The destination of a new key.
#[derive(Debug, clap::Args)]
pub(crate) struct To {
    /// The file to create, with mode 0600. An existing file is never overwritten. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Keys {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Session(to) | Self::Ticket(to) | Self::Store(to) => to.put(&keys::new_secret_key()),
            Self::Signing { algorithm: Algorithm::Es256, to } => to.put(&SigningKey::generate_pem()),
            Self::Signing { algorithm: Algorithm::Rs256, to } => to.put(&SigningKey::generate_rsa_pem()),
        }
    }
}

impl To {
    fn put(&self, key: &Secret<String>) -> anyhow::Result<ExitCode> {
        match &self.out {
            Some(path) => {
                keys::write_new(path, key).map_err(|error| refused(path, error))?;
                eprintln!("created {}", path.display());
            }
            None => print(key.expose())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An existing key may be in use, so it is never overwritten.
fn refused(path: &Path, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return anyhow::anyhow!(
            "{} already exists; keys are never overwritten: name another file with --out",
            path.display()
        );
    }
    anyhow::Error::new(error).context(format!("cannot create {}", path.display()))
}
