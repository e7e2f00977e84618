use super::*;

#[test]
fn every_language_says_everything_and_could_be_the_file_of_an_operator() {
    let english = &built_in()[0];
    for kind in Kind::ALL {
        for part in ["subject", "text", "sms"] {
            assert!(english.find(&key(kind, part)).is_some(), "{}", key(kind, part));
        }
    }
    for language in built_in() {
        assert_eq!(language.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>(), "{}", language.tag());
        for key in language.keys() {
            let text = language.find(key).expect("a text");
            assert_eq!(wrong(key, text), None, "{} {key}", language.tag());
            let same = |text| template::pieces(text).into_iter().filter(|piece| !matches!(piece, Piece::Words(_)));
            let places = |text| {
                let mut found: Vec<_> = same(text)
                    .map(|piece| match piece {
                        Piece::Link(_) => "link".to_owned(),
                        other => format!("{other:?}"),
                    })
                    .collect();
                found.sort();
                found
            };
            let ours = english.find(key).expect("a text");
            assert_eq!(places(ours), places(text), "{} {key}", language.tag());
        }
    }
}

#[test]
fn a_message_that_a_stranger_can_send_to_anybody_has_nothing_that_the_stranger_chose() {
    for language in built_in() {
        for kind in [Kind::Verification, Kind::AddressTaken, Kind::SignIn] {
            for part in ["subject", "text", "sms"] {
                let text = language.find(&key(kind, part)).expect("a text");
                assert!(!text.contains("{username}"), "{} {}", language.tag(), key(kind, part));
            }
        }
    }
}

#[test]
fn a_text_without_its_code_is_found() {
    let check = |key: &str, text: &str, expected: Option<&str>| match (wrong(key, text), expected) {
        (None, None) => {}
        (Some(message), Some(part)) => assert!(message.contains(part), "{key}: {message}"),
        (found, _) => panic!("{key}: {text}: {found:?}"),
    };
    check("reset.text", "Use {####} now.", None);
    check("reset.text", "Use {##this link##} now.", Some("{####}"));
    check("reset.html", "<p>Hello</p>", Some("{####}"));
    check("reset.sms", "Your code", Some("{####}"));
    check("reset.subject", "Reset", None);
    check("verification.text", "Follow {##this link##}.", None);
    check("verification.text", "Use {####} now.", None);
    check("verification.text", "Hello {username}", Some("{####} or {##words##}"));
    check("password-changed.text", "It was changed.", None);
    check("reset.text", "Use {####}, {name}.", Some("{name}"));
    check("reset.subject", "One\ntwo", Some("one line"));
    check("lifetime.hours", "hours", Some("{n}"));
    check("lifetime.hour", "one hour", None);
    // pool §6.5
    check("reset.subject", &"x".repeat(140), None);
    check("reset.subject", &"x".repeat(141), Some("1 to 140"));
    check("reset.subject", "", Some("1 to 140"));
    check("reset.sms", &format!("{{####}}{}", "x".repeat(135)), Some("6 to 140"));
    check("reset.text", &format!("{{####}}{}", "x".repeat(19_994)), None);
    check("reset.text", &format!("{{####}}{}", "x".repeat(19_995)), Some("6 to 20000"));
    check("factor-added.text", "short", Some("6 to 20000"));
}

#[test]
fn what_files_may_have() {
    for known in ["reset.subject", "reset.html", "second-factor.sms", "footer", "lifetime.minute"] {
        assert!(is_key(known), "{known}");
    }
    for other in ["reset", "reset.body", "nothing.html", "html", ""] {
        assert!(!is_key(other), "{other}");
    }
}

#[test]
fn the_language_of_the_user_is_looked_up() {
    let texts = Texts::default();
    for (tag, expected) in
        [(Some("de"), "de"), (Some("de-AT"), "de"), (Some("fr"), "en"), (Some(""), "en"), (None, "en")]
    {
        assert_eq!(texts.of(tag).tag(), expected, "{tag:?}");
    }
}
