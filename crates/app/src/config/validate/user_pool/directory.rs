//! `attributes` and `sign_in` of a user pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::document::suggest;
use crate::config::raw;
use crate::config::raw::user_pool::UserPool;
use crate::config::raw::user_pool::directory::{AttributeType, CustomAttribute, SignIn};
use crate::config::validate::context::Context;
use crate::user_pool::UserName;
use crate::user_pool::directory::attribute::{STANDARD, VALUE_MAX};
use crate::user_pool::directory::custom::{CUSTOM_MAX, NAME_MAX, PREFIX};
use crate::user_pool::directory::settings::{Alias, Custom, Form, Settings, Usernames};
use crate::user_pool::settings::UserSettings;

const NEEDS_STORE: &str = "it is for users in a database: add `store`";

pub(super) fn directory(
    raw: &UserPool,
    users: &[UserSettings],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Arc<Settings>, Reported> {
    let declared = users.iter().filter_map(|user| Some((UserName::parse(&user.username)?, &user.subject)));
    let declared = declared.map(|(name, subject)| (name.as_str().to_owned(), subject.clone())).collect();
    let has_store = raw.store.is_some();
    let mut needs_store = |key: &str, is_there: bool| {
        if is_there && !has_store {
            let problem = context.found.problem_at_key(&at.key(key), "the pool has no `store`");
            problem.lacks(&at.key("store")).hint(NEEDS_STORE);
        }
    };
    needs_store("attributes", raw.attributes.is_some());
    needs_store("sign_in", raw.sign_in.is_some());
    let (no_attributes, no_sign_in) = (Default::default(), SignIn::default());
    let attributes = raw.attributes.as_ref().unwrap_or(&no_attributes);
    let custom = custom(&attributes.custom, &at.key("attributes").key("custom"), context);
    let names = attributes.custom.keys().map(|name| format!("{PREFIX}{name}")).collect::<Vec<_>>();
    let required =
        context.each_item(&attributes.required, &at.key("attributes").key("required"), |name, at, context| {
            let known = STANDARD
                .into_iter()
                .filter(|name| !name.ends_with("_verified"))
                .chain(names.iter().map(String::as_str));
            if known.clone().any(|known| known == name) {
                return Ok(name.clone());
            }
            let hint = suggest::hint(name, known).unwrap_or_else(|| "declare it in `custom`".to_owned());
            context.found.problem(at, format!("there is no attribute `{name}` that users give")).hint(hint).fail()
        });
    let sign_in = raw.sign_in.as_ref().unwrap_or(&no_sign_in);
    let (usernames, aliases) = names_of(sign_in, &at.key("sign_in"), context)?;
    let reserved = raw.identity_providers.keys().filter_map(|name| Settings::reserved_prefix(name)).collect();
    Ok(Arc::new(Settings { custom: custom?, required: required?, aliases, usernames, declared, reserved }))
}

fn names_of(raw: &SignIn, at: &Path, context: &mut Context<'_>) -> Result<(Usernames, Vec<Alias>), Reported> {
    let aliases = context.each_item(&raw.aliases, &at.key("aliases"), |alias, _, _| {
        Ok(match alias {
            raw::user_pool::directory::Alias::Email => Alias::Email,
            raw::user_pool::directory::Alias::PhoneNumber => Alias::PhoneNumber,
            raw::user_pool::directory::Alias::PreferredUsername => Alias::PreferredUsername,
        })
    })?;
    match raw.username {
        raw::user_pool::directory::Usernames::Chosen => Ok((Usernames::Chosen, aliases)),
        raw::user_pool::directory::Usernames::Email if aliases.is_empty() => Ok((Usernames::Email, aliases)),
        raw::user_pool::directory::Usernames::Email => {
            let problem =
                context.found.problem(&at.key("aliases"), "users whose name is their e-mail address have no aliases");
            problem.label(&at.key("username"), "said here").hint("remove one of the two").fail()
        }
    }
}

fn custom(
    raw: &BTreeMap<String, CustomAttribute>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<BTreeMap<String, Custom>, Reported> {
    if raw.len() > CUSTOM_MAX {
        let message = format!("{} attributes are too many", raw.len());
        return context.found.problem_at_key(at, message).hint(format!("at most {CUSTOM_MAX}")).fail();
    }
    let mut all = Ok(BTreeMap::new());
    for (name, attribute) in raw {
        match one(name, attribute, &at.key(name), context) {
            Ok(custom) => {
                if let Ok(all) = &mut all {
                    all.insert(format!("{PREFIX}{name}"), custom);
                }
            }
            Err(reported) => all = Err(reported),
        }
    }
    all
}

fn one(name: &str, raw: &CustomAttribute, at: &Path, context: &mut Context<'_>) -> Result<Custom, Reported> {
    let is_name = (1..=NAME_MAX).contains(&name.chars().count())
        && name.chars().all(|character| character.is_alphanumeric() || "-_.".contains(character));
    if !is_name {
        let problem = context.found.problem_at_key(at, format!("`{name}` cannot be the name of an attribute"));
        return problem.hint(format!("1 to {NAME_MAX} letters, digits, and `-`, `_`, `.`; without `{PREFIX}`")).fail();
    }
    let lengths = [("min_length", raw.min_length.is_some()), ("max_length", raw.max_length.is_some())];
    let values = [("min_value", raw.min_value.is_some()), ("max_value", raw.max_value.is_some())];
    let (of_string, of_number) = (raw.r#type == AttributeType::String, raw.r#type == AttributeType::Number);
    for (keys, is_its, what) in [(lengths, of_string, "string"), (values, of_number, "number")] {
        if let Some((key, _)) = keys.into_iter().find(|(_, is_there)| *is_there && !is_its) {
            let problem = context.found.problem_at_key(&at.key(key), format!("only a `{what}` has a `{key}`"));
            return problem.hint("remove it").fail();
        }
    }
    let (min, max) = (raw.min_length.unwrap_or(0), raw.max_length.unwrap_or(VALUE_MAX));
    let (least, most) = (raw.min_value.unwrap_or(i64::MIN), raw.max_value.unwrap_or(i64::MAX));
    if min > max || max > VALUE_MAX || least > most {
        let problem = context.found.problem(at, "no value can be within these bounds");
        return problem.hint(format!("a text has at most {VALUE_MAX} characters")).fail();
    }
    let form = match raw.r#type {
        AttributeType::String => Form::Text { min, max },
        AttributeType::Number => Form::Number { min: least, max: most },
        AttributeType::Boolean => Form::Boolean,
        AttributeType::DateTime => Form::DateTime,
    };
    Ok(Custom { form, is_mutable: raw.mutable.unwrap_or(true) })
}
