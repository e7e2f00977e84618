use super::*;

fn name(text: &str) -> UserName {
    UserName::parse(text).expect("a name")
}

#[test]
fn a_phone_number_is_one_however_it_is_typed() {
    for typed in ["+4930123456", "+49 30 123456", "+49 (30) 12-34-56", "+49.30.123456"] {
        assert_eq!(phone(typed).as_deref(), Some("+4930123456"), "{typed}");
    }
    for typed in ["4930123456", "+", "+49x", "ada", "+49+30"] {
        assert_eq!(phone(typed), None, "{typed}");
    }
}

#[test]
fn only_the_aliases_of_the_pool_are_looked_up() {
    let none = Settings::default().sign_in_name(&name("Ada@Example.com"));
    assert_eq!((none.email.as_str(), none.preferred_username.as_str(), none.address.as_str()), ("", "", ""));
    let aliases = vec![Alias::Email, Alias::PhoneNumber];
    let some = Settings { aliases, ..Settings::default() };
    let typed = some.sign_in_name(&name("Ada@Example.com"));
    assert_eq!((typed.email.as_str(), typed.phone_number.as_str()), ("ada@example.com", ""));
    assert_eq!(some.sign_in_name(&name("+49 30 1")).phone_number, "+49301");
    let by_address = Settings { usernames: Usernames::Email, ..Settings::default() };
    assert_eq!(by_address.sign_in_name(&name("Ada@Example.com")).address, "ada@example.com");
}

#[test]
fn an_address_is_an_alias_when_it_was_verified() {
    let mut attributes = Attributes::default();
    attributes.set_all([("email", "Ada@Example.com"), ("preferred_username", "Ada L.")]).expect("valid");
    assert_eq!(Alias::Email.key(&attributes), None);
    assert_eq!(Alias::PreferredUsername.key(&attributes).as_deref(), Some("ada l."));
    attributes.set("email_verified", "true").expect("valid");
    assert_eq!(Alias::Email.key(&attributes).as_deref(), Some("ada@example.com"));
}
