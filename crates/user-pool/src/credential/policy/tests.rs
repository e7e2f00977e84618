use proptest::prelude::*;

use super::*;
use crate::page::translation::built_in;

fn ada() -> AboutUser {
    AboutUser {
        username: "Ada".into(),
        email: Some("countess@example.com".into()),
        names: vec!["Ada King Lovelace".into(), "Al".into()],
    }
}

#[track_caller]
fn check(policy: &PasswordPolicy, password: &str, expected: Result<(), Fault>) {
    assert_eq!(policy.check(&Secret::new(password.to_owned()), &ada()), expected, "{password}");
}

#[test]
fn modern_wants_length_and_nothing_of_the_user() {
    let modern = PasswordPolicy::modern();
    check(&modern, "correct horse", Ok(()));
    check(&modern, "x".repeat(256).as_str(), Ok(()));
    check(&modern, "", Err(Fault::TooShort(12)));
    check(&modern, "correct hor", Err(Fault::TooShort(12)));
    check(&modern, &"x".repeat(257), Err(Fault::TooLong));
    check(&modern, &"\u{10348}".repeat(256), Ok(()));
    check(&modern, " correct horse", Err(Fault::OuterSpace));
    check(&modern, "correct horse\u{a0}", Err(Fault::OuterSpace));
    for password in ["my name is kinG", "the-countess-1815", "ｌｏｖｅｌａｃｅ battery", "it is kıng LOVELACE"]
    {
        check(&modern, password, Err(Fault::HasName));
    }
    check(&modern, "metal alphabet", Ok(()));
}

#[test]
fn a_short_name_is_part_of_many_words_and_counts_only_as_the_whole_password() {
    let check = |username: &str, password: &str| {
        let about = AboutUser { username: username.to_owned(), ..AboutUser::default() };
        let short = PasswordPolicy { min_length: 1, ..PasswordPolicy::modern() };
        short.check(&Secret::new(password.to_owned()), &about)
    };
    assert_eq!(check("eve", "a compiler for everybody"), Ok(()));
    for (username, password) in [("eve", "EVE"), ("Al", "al"), ("Adam", "Adam"), ("Adam", "macadamia")] {
        assert_eq!(check(username, password), Err(Fault::HasName), "{password}");
    }
}

#[test]
fn a_user_name_that_is_an_address_counts_by_its_local_part() {
    let about = AboutUser { username: "grace.hopper@example.com".into(), ..AboutUser::default() };
    let check = |password: &str| PasswordPolicy::modern().check(&Secret::new(password.to_owned()), &about);
    assert_eq!(check("1906-Grace.Hopper"), Err(Fault::HasName));
    assert_eq!(check("1906 example.com"), Ok(()));
}

#[test]
fn cognito_wants_one_of_each_class() {
    let cognito = PasswordPolicy::cognito();
    check(&cognito, "Ada-1815", Ok(()));
    check(&cognito, "Ada-181", Err(Fault::TooShort(8)));
    check(&cognito, "ada-1815", Err(Fault::Missing(Class::Uppercase)));
    check(&cognito, "ADA-1815", Err(Fault::Missing(Class::Lowercase)));
    check(&cognito, "Ada-King", Err(Fault::Missing(Class::Digit)));
    check(&cognito, "Adaq1815", Err(Fault::Missing(Class::Symbol)));
    // Pool §6.6: each of them, and an inner space.
    for symbol in "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ".chars() {
        check(&cognito, &format!("Ada{symbol}1815"), Ok(()));
    }
    for other in ['€', '§', 'é', '\u{a0}'] {
        check(&cognito, &format!("Ada{other}1815"), Err(Fault::Missing(Class::Symbol)));
    }
}

/// A letter with an accent is one character, whichever keyboard it came from.
#[test]
fn u_04_lengths_are_those_of_the_normal_form() {
    let policy = PasswordPolicy { min_length: 12, ..PasswordPolicy::modern() };
    check(&policy, &"e\u{301}".repeat(11), Err(Fault::TooShort(12)));
    check(&policy, &"e\u{301}".repeat(12), Ok(()));
    check(&policy, &"e\u{301}".repeat(256), Ok(()));
}

#[test]
fn each_fault_says_what_to_do() {
    let classes = [Class::Uppercase, Class::Lowercase, Class::Digit, Class::Symbol].map(Fault::Missing);
    let faults =
        [Fault::TooShort(12), Fault::TooLong, Fault::OuterSpace, Fault::HasName, Fault::Breached, Fault::UsedBefore];
    let mut said = std::collections::BTreeSet::new();
    for fault in faults.into_iter().chain(classes) {
        for language in built_in() {
            assert!(said.insert(fault.sentence().plain(language)), "{fault:?}");
        }
    }
    assert!(said.iter().all(|text| text.ends_with('.') && !text.contains('{')), "{said:?}");
    assert_eq!(Fault::TooShort(12).to_string(), "Use at least 12 characters.");
}

proptest! {
    #[test]
    fn what_is_accepted_keeps_every_rule(password in "\\PC{0,300}", username in "\\PC{0,12}", is_modern: bool) {
        let policy = if is_modern { PasswordPolicy::modern() } else { PasswordPolicy::cognito() };
        let about = AboutUser { username: username.clone(), ..AboutUser::default() };
        if policy.check(&Secret::new(password.clone()), &about).is_ok() {
            // Characters are those of the normal form: some letters are two there.
            let length = normal(&Secret::new(password.clone())).expose().chars().count();
            prop_assert!(length >= policy.min_length && password.len() <= PASSWORD_MAX_BYTES);
            prop_assert_eq!(password.trim(), &password);
            if !is_modern {
                prop_assert!(password.chars().any(char::is_uppercase) && password.chars().any(char::is_lowercase));
                prop_assert!(password.chars().any(|letter| letter.is_ascii_digit()));
            } else if username.is_ascii() && username.trim().len() >= 4 && !username.contains('@') {
                prop_assert!(!password.to_lowercase().contains(&username.trim().to_lowercase()));
            }
        }
    }

    #[test]
    fn a_password_around_the_name_is_refused(
        before in "[a-z]{6,20}", after in "[0-9]{6,20}", name in "[A-Za-z]{4,20}", in_capitals: bool,
    ) {
        let about = AboutUser { username: name.clone(), ..AboutUser::default() };
        let name = if in_capitals { name.to_uppercase() } else { name };
        let password = Secret::new(format!("{before}{name}{after}"));
        prop_assert_eq!(PasswordPolicy::modern().check(&password, &about), Err(Fault::HasName));
    }

    #[test]
    fn both_unicode_forms_are_judged_alike(letters in "[éüñ a-z]{0,40}") {
        let decomposed = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(&letters).into_owned();
        let check = |text: String| PasswordPolicy::modern().check(&Secret::new(text), &ada());
        prop_assert_eq!(check(letters), check(decomposed));
    }
}
