//! `keys`: makes session and signing keys.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::keys;
use crate::jose::signing_key::SigningKey;
use crate::secret::Secret;

/// Makes the keys that a configuration names. All replicas need the same.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Keys {
    /// Makes a key for `session.key_files`: 256 random bits that seal session cookies.
    Session(To),
    /// Makes a key for `claims.signing_key_file` or a user pool: a private key in PEM form.
    Signing {
        /// What it signs with. `claims.signing_key_file` needs `es256`; `rs256` is for the `rs256_signing_key_file` of a user
        /// pool.
        #[arg(long, value_enum, default_value_t = Algorithm::Es256)]
        algorithm: Algorithm,
        #[command(flatten)]
        to: To,
    },
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// RSA of 2048 bits.
    Rs256,
}

/// Where a new key goes.
#[derive(Debug, clap::Args)]
pub(crate) struct To {
    /// A new file that only its owner may read. It is never overwritten. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Keys {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Session(to) => to.put(&keys::new_session_key()),
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
                eprintln!("made {}", path.display());
            }
            None => print!("{}", key.expose()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A key that exists may be in use: it is never written over.
fn refused(path: &Path, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return anyhow::anyhow!("{} exists, and a key is never overwritten", path.display());
    }
    anyhow::Error::new(error).context(format!("cannot make {}", path.display()))
}
