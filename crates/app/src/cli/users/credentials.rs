//! The password of a user: what `users add` and `users set-password` read or make.

use crate::cli::users::password;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::directory::attribute::Attributes;
use crate::user_pool::management::Record;
use crate::user_pool::passwords::{FirstPassword, Lasting, Passwords};

/// Where the password of a new user is from.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(in crate::cli) struct FirstOf {
    /// Read no password. The user cannot sign in until `set-password`.
    #[arg(long)]
    no_password: bool,
    /// Make a password and print it, instead of reading one. The user signs in with it once, and must choose another one.
    #[arg(long)]
    temporary: bool,
    /// Read the hash of the password, which another system has made: bcrypt, scrypt, PBKDF2-SHA256 or Argon2id. It is replaced at the first sign-in.
    #[arg(long)]
    password_hash: bool,
    /// Make a password and send it to the user by mail or SMS. The user signs in with it once, and must choose another one. Nobody sees it here.
    #[arg(long)]
    invite: bool,
}

/// The password of a new user.
pub(super) enum First {
    Here {
        /// `None`: the user has none.
        password: Option<FirstPassword>,
        /// The password itself, if it was made here.
        generated: Option<Secret<String>>,
    },
    /// It is made and sent when the user is added.
    Invited,
}

impl FirstOf {
    /// The password of a user with this name and these attributes.
    pub(super) async fn read(
        &self,
        username: &str,
        attributes: &Attributes,
        passwords: &Passwords,
        now: Timestamp,
    ) -> anyhow::Result<First> {
        if self.invite {
            return Ok(First::Invited);
        }
        if self.no_password {
            return Ok(First::Here { password: None, generated: None });
        }
        if self.temporary {
            let (password, first) = passwords.first_temporary(username, attributes, now).await?;
            return Ok(First::Here { password: Some(first), generated: Some(password) });
        }
        let first = if self.password_hash {
            FirstPassword::imported(password::ask("Hash of the password")?)?
        } else {
            passwords.first(username, attributes, password::ask("Password")?, Lasting::Permanent).await?
        };
        Ok(First::Here { password: Some(first), generated: None })
    }
}

/// Sets the password of a user. Returns it if it was made here.
pub(super) async fn set(
    user: &Record,
    temporary: bool,
    passwords: &Passwords,
    now: Timestamp,
) -> anyhow::Result<Option<Secret<String>>> {
    if temporary {
        return Ok(Some(passwords.set_temporary(user, now).await?.0));
    }
    passwords.set(user, password::ask("Password")?, Lasting::Permanent, now).await?;
    Ok(None)
}
