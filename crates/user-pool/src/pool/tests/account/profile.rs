//! Attributes that are changed at once.

use super::*;
use crate::directory::settings::{Custom, Form as Shape};

const PROFILE: &str = "/account/profile";

async fn attribute(stored: &Stored, name: &str) -> Option<String> {
    stored.users.show("grace").await.expect("found").attributes.get(name).map(str::to_owned)
}

#[tokio::test]
async fn the_profile_is_saved_and_shown_as_text() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let hostile = "\"><script>alert(1)</script>";
    let page = browser.open_and_fill(PROFILE, &[("name", hostile), ("nickname", " Amazing ")]).await;
    page.assert_page(StatusCode::OK, "Your account");
    says(&page, "Your profile is saved.");
    says(&page, "&#60;script&#62;alert(1)");
    let page = browser.get(PROFILE).await;
    page.assert_page(StatusCode::OK, "Change your profile");
    assert_eq!(attribute(&stored, "name").await.as_deref(), Some(hostile));
    assert_eq!(attribute(&stored, "nickname").await.as_deref(), Some("Amazing"));
    browser.open_and_fill(PROFILE, &[("name", ""), ("nickname", "Amazing")]).await;
    assert_eq!(attribute(&stored, "name").await, None, "an empty one is removed");
    assert!(stored.audited().await.contains(&"user user.attributes".to_owned()));
}

#[tokio::test]
async fn what_is_asked_for_or_has_a_value_comes_first_and_the_rest_is_folded() {
    let stored = with(|settings| {
        let rules = Rules { required: vec!["family_name".into()], ..Rules::clone(&settings.directory) };
        settings.directory = Arc::new(rules);
    })
    .await;
    let mut browser = stored.grace().await;
    browser.open_and_fill(PROFILE, &[("nickname", "Amazing"), ("family_name", "Hopper")]).await;
    let page = browser.get(PROFILE).await;
    let (first, folded) = page.text().split_once("<details class=\"folded\">").expect("a list that is closed");
    for (name, is_first) in [("family_name", true), ("nickname", true), ("website", false), ("gender", false)] {
        let field = format!("name=\"{name}\"");
        assert_eq!([first, folded].map(|part| part.contains(&field)), [is_first, !is_first], "{name}");
    }
    // What is wrong is seen.
    let wrong = browser.fill(PROFILE, &page, &[("website", ""), ("birthdate", "yesterday")]).await;
    assert!(wrong.text().contains("<details class=\"folded\" open>"), "{}", wrong.text());
}

#[tokio::test]
async fn a_long_profile_fits_into_its_form() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let long = "x".repeat(2000);
    let names = ["name", "given_name", "family_name", "nickname", "address"];
    let fields = names.map(|name| (name, &*long));
    says(&browser.open_and_fill(PROFILE, &fields).await, "Your profile is saved.");
    let page = browser.get(PROFILE).await;
    assert!(page.hidden().len() < 1024, "{}", page.hidden().len());
    says(&browser.fill(PROFILE, &page, &fields).await, "Your profile is saved.");
}

#[tokio::test]
async fn values_without_their_form_are_refused_and_nothing_is_saved() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    for (name, value) in [
        ("birthdate", "yesterday"),
        ("website", "javascript:alert(1)"),
        ("picture", "data:text/html,x"),
        ("profile", "example.com"),
        ("name", &*"x".repeat(2049)),
    ] {
        let page = browser.open_and_fill(PROFILE, &[("nickname", "Amazing"), (name, value)]).await;
        says(&page, "Check what you entered for");
        says(&page, "value=\"Amazing\"");
    }
    assert_eq!(attribute(&stored, "nickname").await, None);
}

#[tokio::test]
async fn u_10_only_what_the_settings_name_is_changed() {
    let stored = with(|settings| {
        let custom = |is_mutable| Custom { form: Shape::Text { min: 0, max: 9 }, is_mutable };
        let mut rules = Rules::clone(&settings.directory);
        rules.custom = [("custom:team".into(), custom(true)), ("custom:role".into(), custom(true))].into();
        rules.required = vec!["name".into()];
        settings.directory = Arc::new(rules);
        let attributes = vec!["name".into(), "custom:team".into()];
        settings.account = Arc::new(AccountSettings { attributes, may_delete: false });
    })
    .await;
    let mut browser = stored.grace().await;
    let page = browser.get(OVERVIEW).await;
    for path in ["/account/email", "/account/phone", "/account/delete"] {
        assert!(!page.text().contains(path), "{path}");
        browser.get(path).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    }
    let all = [
        ("name", "Grace"),
        ("custom:team", "A"),
        ("custom:role", "admin"),
        ("email", "eve@example.com"),
        ("email_verified", "true"),
        ("phone_number", "+4930123456"),
        ("preferred_username", "root"),
        ("sub", "root"),
    ];
    says(&browser.open_and_fill(PROFILE, &all).await, "Your profile is saved.");
    assert_eq!(attribute(&stored, "custom:team").await.as_deref(), Some("A"));
    for (name, expected) in [
        ("custom:role", None),
        ("email", Some("grace@example.com")),
        ("phone_number", None),
        ("preferred_username", Some("alice")),
    ] {
        assert_eq!(attribute(&stored, name).await.as_deref(), expected, "{name}");
    }
    let page = browser.open_and_fill(PROFILE, &[("name", ""), ("custom:team", "B")]).await;
    says(&page, "Check what you entered for");
    assert_eq!(attribute(&stored, "custom:team").await.as_deref(), Some("A"));
}

#[tokio::test]
async fn the_alias_of_another_user_is_not_taken_over() {
    let stored = with(|settings| {
        let aliases = vec![Alias::Email, Alias::PreferredUsername];
        let declared = [("bob".to_owned(), "sub-of-bob".to_owned())].into();
        settings.directory = Arc::new(Rules { aliases, declared, ..Rules::default() });
        settings.account =
            Arc::new(AccountSettings { attributes: vec!["preferred_username".into()], may_delete: false });
    })
    .await;
    stored.add_heidi().await;
    let mut heidi = stored.signed_in("heidi", "second compiler").await;
    for taken in ["grace", "alice", "bob", "grace@example.com"] {
        let page = heidi.open_and_fill(PROFILE, &[("preferred_username", taken)]).await;
        says(&page, "This user name is taken.");
    }
    says(&heidi.open_and_fill(PROFILE, &[("preferred_username", "hopper")]).await, "Your profile is saved.");
    stored.signed_in("hopper", "second compiler").await;
}
