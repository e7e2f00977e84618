//! `password_policy` of a user pool.

use std::time::Duration;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::raw::user_pool::password_policy::{BreachedAtSignIn, CharacterClass, PasswordPreset};
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::user_pool::credential::breach::BreachList;
use crate::user_pool::credential::policy::{self, Class, HISTORY_MAX, MIN_LENGTH, PasswordPolicy};

/// Below that, a password is found by trying (NIST SP 800-63B §3.1.1.2).
const MIN_LENGTH_ADVISED: usize = 8;
/// Bounds of `temporary_validity` (pool §2.4).
const VALIDITY: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(365 * 86_400));

/// The policy, or the default of a pool that says nothing. Only users of a `store` choose passwords.
pub(super) fn password_policy(
    pool: &UserPool,
    pool_at: &Path,
    context: &mut Context<'_>,
) -> Result<PasswordPolicy, Reported> {
    let (store, at) = (pool_at.key("store"), pool_at.key("password_policy"));
    let Some(raw) = &pool.password_policy else { return Ok(PasswordPolicy::modern()) };
    if pool.store.is_none() {
        let problem = context.found.problem(&at, "`password_policy` has no effect: this pool has no `store`");
        return problem
            .lacks(&store)
            .hint("the passwords of `users` are hashes already; remove it, or add a `store`")
            .fail();
    }
    let preset = match raw.preset {
        PasswordPreset::Modern => PasswordPolicy::modern(),
        PasswordPreset::Cognito => PasswordPolicy::cognito(),
    };
    let min_length = min_length(raw.min_length.unwrap_or(preset.min_length), &at.key("min_length"), context);
    let required = match &raw.require {
        Some(classes) => required(classes, &at.key("require"), context),
        None => Ok(preset.required.clone()),
    };
    let history = history(raw.history, &at.key("history"), context);
    let breach_list = raw.breach_list_file.as_deref();
    let breach_list = breach_list.map(|file| self::breach_list(file, &at.key("breach_list_file"), context)).transpose();
    let breached_at_sign_in = match raw.breached_at_sign_in {
        BreachedAtSignIn::Allow => Ok(policy::BreachedAtSignIn::Allow),
        BreachedAtSignIn::Reset if raw.breach_list_file.is_some() => Ok(policy::BreachedAtSignIn::Reset),
        BreachedAtSignIn::Reset => {
            let problem = context.found.problem(&at.key("breached_at_sign_in"), "there is no `breach_list_file`");
            problem.hint("`vestibule users breach-list` makes one").fail()
        }
    };
    let validity_at = at.key("temporary_validity");
    let temporary_validity = value::period(&raw.temporary_validity, VALIDITY, &validity_at, &mut context.found);
    Ok(PasswordPolicy {
        min_length: min_length?,
        required: required?,
        refuses_names: preset.refuses_names,
        history: history?,
        breach_list: breach_list?,
        breached_at_sign_in: breached_at_sign_in?,
        temporary_validity: temporary_validity?,
    })
}

fn history(passwords: usize, at: &Path, context: &mut Context<'_>) -> Result<usize, Reported> {
    if passwords <= HISTORY_MAX {
        return Ok(passwords);
    }
    let problem = context.found.problem(at, format!("{passwords} is out of range: 0 to {HISTORY_MAX}"));
    problem.hint("each former password is hashed at a change: more would let one user occupy the machine").fail()
}

fn breach_list(file: &str, at: &Path, context: &mut Context<'_>) -> Result<BreachList, Reported> {
    let path = context.source.resolve(file);
    context.source.files.watch(&path);
    BreachList::open(&path).map_err(|error| {
        let problem = context.found.problem(at, error.to_string());
        problem.hint("`vestibule users breach-list` makes such a file").reported()
    })
}

fn min_length(length: usize, at: &Path, context: &mut Context<'_>) -> Result<usize, Reported> {
    if !MIN_LENGTH.contains(&length) {
        let message = format!("{length} is out of range: {} to {}", MIN_LENGTH.start(), MIN_LENGTH.end());
        return context.found.problem(at, message).fail();
    }
    if length < MIN_LENGTH_ADVISED {
        let warning = context.found.warning(at, format!("passwords of {length} characters are found by trying"));
        warning.hint(format!("use {MIN_LENGTH_ADVISED} at least; without `require`, 12 (NIST SP 800-63B)"));
    }
    Ok(length)
}

fn required(raw: &List<CharacterClass>, at: &Path, context: &mut Context<'_>) -> Result<Vec<Class>, Reported> {
    let mut seen = Vec::new();
    let mut classes = value::each(raw, at, &mut context.found, |class, at, found| {
        if seen.contains(class) {
            return found.problem(at, "this kind of characters is already required").fail();
        }
        seen.push(*class);
        Ok(match class {
            CharacterClass::Uppercase => Class::Uppercase,
            CharacterClass::Lowercase => Class::Lowercase,
            CharacterClass::Digit => Class::Digit,
            CharacterClass::Symbol => Class::Symbol,
        })
    })?;
    classes.sort_unstable();
    Ok(classes)
}
