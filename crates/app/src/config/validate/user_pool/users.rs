//! `users` of a user pool.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::User;
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::crypto::octets;
use crate::identity::Claims;
use crate::secret::Secret;
use crate::user_pool::UserName;
use crate::user_pool::credential::hasher::costs;
use crate::user_pool::credential::password;
use crate::user_pool::settings::UserSettings;

/// Claims that the pool sets itself.
const RESERVED_CLAIMS: [&str; 12] =
    ["sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "auth_time", "azp", "acr", "amr", "preferred_username"];

/// The users of the file.
pub(super) fn users(
    raw: &List<User>,
    issuer: &str,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<UserSettings>, Reported> {
    let mut taken = Taken::default();
    let users = context.each_item(raw, at, |raw, at, context| user(raw, issuer, &mut taken, at, context))?;
    let costs = costs(users.iter().map(|user| &user.password_hash)).len();
    if costs > 1 {
        let message = format!("the password hashes have {costs} different costs; each sign-in computes all of them");
        let warning = context.found.warning(at, message);
        warning.hint(
            "otherwise the response time would reveal which users exist; hash all passwords with `vestibule users hash`",
        );
    }
    Ok(users)
}

/// Where each user name and each subject of a pool is first given.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, Path>,
    subjects: BTreeMap<String, Path>,
}

fn user(
    user: &User,
    issuer: &str,
    taken: &mut Taken,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<UserSettings, Reported> {
    let name = user_name(user, taken, &at.key("username"), context);
    let subject = match (&user.subject, &name) {
        (Some(subject), _) => Ok(subject.clone()),
        (None, Ok(name)) => Ok(made_subject(issuer, name.as_str())),
        (None, Err(reported)) => Err(*reported),
    };
    let subject = subject.and_then(|subject| self::subject(subject, taken, &at.key("subject"), context));
    let password_hash = password_hash(&user.password_hash.0, &at.key("password_hash"), context);
    let claims = claims(user, at, context);
    name?;
    Ok(UserSettings {
        username: user.username.clone(),
        password_hash: password_hash?,
        subject: subject?,
        claims: claims?,
    })
}

fn user_name(user: &User, taken: &mut Taken, at: &Path, context: &mut Context<'_>) -> Result<UserName, Reported> {
    let Some(name) = UserName::parse(&user.username) else {
        return context.found.problem(at, "this is not a valid user name").fail();
    };
    // Compared case-insensitively: `ADA` is `ada` (attacks U-04).
    match taken.names.insert(name.as_str().to_owned(), at.clone()) {
        None => Ok(name),
        Some(first) => {
            let problem = context.found.problem(at, format!("the user `{}` is defined twice", user.username));
            problem.label(&first, "first defined here").fail()
        }
    }
}

fn subject(subject: String, taken: &mut Taken, at: &Path, context: &mut Context<'_>) -> Result<String, Reported> {
    // OIDC Core §2: at most 255 ASCII characters.
    if subject.is_empty() || subject.len() > 255 || !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = context.found.problem(at, format!("`{subject}` is not a valid subject"));
        return problem.hint("use at most 255 visible ASCII characters (OpenID Connect Core §2)").fail();
    }
    match taken.subjects.insert(subject.clone(), at.clone()) {
        None => Ok(subject),
        Some(first) => {
            let message = format!("the subject `{subject}` is already used by another user");
            context.found.problem(at, message).label(&first, "first used here").fail()
        }
    }
}

/// A stable subject for all restarts and replicas. It does not reveal the user name.
fn made_subject(issuer: &str, username: &str) -> String {
    let hash = octets::sha256(format!("vestibule subject\n{issuer}\n{username}").as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password_hash(hash: &Secret<String>, at: &Path, context: &mut Context<'_>) -> Result<Secret<String>, Reported> {
    match password::check(hash) {
        Ok(()) => Ok(hash.clone()),
        Err(error) => context.found.problem(at, error.to_string()).hint("`vestibule users hash` prints one").fail(),
    }
}

fn claims(user: &User, at: &Path, context: &mut Context<'_>) -> Result<Claims, Reported> {
    let mut claims = Ok(Claims::new());
    for (name, value) in &user.claims {
        let at = at.key("claims").key(name);
        if RESERVED_CLAIMS.contains(&name.as_str()) {
            let message = format!("the claim `{name}` is reserved: the pool sets it");
            claims = context.found.problem_at_key(&at, message).fail();
        } else if matches!(name.as_str(), "email" | "name" | "groups") {
            let message = format!("`{name}` is a setting of the user; set it there");
            claims = context.found.problem_at_key(&at, message).fail();
        } else if let Ok(claims) = &mut claims {
            claims.insert(name.clone(), value.clone());
        }
    }
    let mut claims = claims?;
    let texts = [("name", &user.name), ("email", &user.email)];
    for (name, value) in texts {
        if let Some(value) = value {
            claims.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    if !user.groups.is_empty() {
        claims.insert("groups".to_owned(), Value::from(user.groups.texts()));
    }
    Ok(claims)
}
