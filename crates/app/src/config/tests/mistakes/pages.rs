//! `pages`.

use insta::assert_snapshot;

use crate::config::tests::{SOUND, files, load_in};
use crate::page::color::{Role, Scheme};
use crate::page::translation::english;

/// What `check` says of the sound file with this section, next to these files.
fn said(name: &str, section: &str, beside: &[(&str, &[u8])]) -> String {
    let directory = files(name);
    for (file, bytes) in beside {
        std::fs::write(directory.join(file), bytes).expect("written");
    }
    let text = format!("{SOUND}pages:\n{section}").replace("login.example.com\n", "login.company.com\n");
    let said = match load_in(&directory, &text) {
        Ok(config) => config.warnings().to_string(),
        Err(report) => report.to_string(),
    };
    said.replace(&directory.display().to_string(), "DIR")
}

#[test]
fn colours_that_are_none() {
    let section = "  title: \" \"\n  colors: { accent: red, text: \"#12\" }\n  colors_dark:\n    accent: #1d4ed8\n";
    assert_snapshot!(said("colors", section, &[]));
}

#[test]
fn colours_that_cannot_be_read() {
    let section = "  colors: { accent: \"#ffee00\" }\n  colors_dark: { surface: \"#777777\" }\n";
    assert_snapshot!(said("contrast", section, &[]));
}

#[test]
fn files_that_are_no_logo() {
    let section = "  logo: gone.svg\n  logo_dark: page.html\n";
    assert_snapshot!(said("logo", section, &[("page.html", b"<html><svg/></html>")]));
}

#[test]
fn texts_that_no_page_has() {
    let texts = "# texts\nsign_in.titel: Welcome\nsign_in.busy: Come back in {wait} or {hours}.\nsign_in.submit: yes\n\
                 sign_in.password: ''\nsign_in.user_name: 7\nsign_in.user_name: Name\n";
    let section = "  texts: { en: en.yaml, \"de_AT\": de.yaml, es: gone.yaml }\n";
    assert_snapshot!(said("texts", section, &[("en.yaml", texts.as_bytes())]));
}

/// A missing text of a new language is named, and a region of a language begins with the texts of the language.
#[test]
fn languages_that_are_none_and_variants_of_languages_that_are_there() {
    let section = "  texts: { deutsch: en.yaml, en: en.yaml, en-US: us.yaml, fr: fr.yaml }\n";
    let most: String = english()
        .keys()
        .filter(|key| !["wait.", "sign_out.", "account."].iter().any(|left_out| key.starts_with(left_out)))
        .map(|key| format!("{key}: Texte\n"))
        .collect();
    let beside: [(&str, &[u8]); 3] =
        [("en.yaml", b"sign_in.title: Log in\n"), ("us.yaml", b"sign_in.submit: Go\n"), ("fr.yaml", most.as_bytes())];
    assert_snapshot!(said("languages", section, &beside));
}

#[test]
fn a_theme_is_what_the_file_says() {
    let directory = files("theme");
    let all: String = english()
        .keys()
        .map(|key| {
            let text = format!("(fr) {}", english().find(key).expect("there"));
            format!("{key}: {}\n", serde_json::to_string(&text).expect("text"))
        })
        .collect();
    std::fs::write(directory.join("fr.yaml"), all).expect("written");
    std::fs::write(directory.join("de.yaml"), "sign_in.title: \"Willkommen\"\n").expect("written");
    std::fs::write(directory.join("logo.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").expect("written");
    let section = "pages:\n  title: Example Ltd\n  logo: logo.svg\n  colors: { accent: \"#0a6640\" }\n  texts: { de: de.yaml, en: en.yaml, en-US: us.yaml, fr: fr.yaml }\n";
    std::fs::write(directory.join("en.yaml"), "sign_in.title: Log in\n").expect("written");
    std::fs::write(directory.join("us.yaml"), "sign_in.password: Passcode\n").expect("written");
    let text = format!("{SOUND}{section}").replace("login.example.com\n", "login.company.com\n");
    let config = load_in(&directory, &text).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings().is_empty(), "{}", config.warnings());
    let theme = config.pages;
    assert_eq!(theme.title.as_deref(), Some("Example Ltd"));
    assert!(theme.logo.is_some() && theme.logo_dark.is_none());
    assert_eq!(theme.colors.effective(Role::Accent, Scheme::Light).to_string(), "#0a6640");
    let tags: Vec<_> = theme.translations.iter().map(|translation| translation.tag()).collect();
    assert_eq!(tags, ["en", "de", "en-US", "fr"]);
    assert_eq!(theme.translations[1].find("sign_in.title"), Some("Willkommen"));
    assert_eq!(theme.translations[1].find("sign_in.password"), Some("Passwort"), "what is not in the file stays");
    let american = &theme.translations[2];
    assert_eq!(american.find("sign_in.title"), Some("Log in"), "a region begins with the texts of its language");
    assert_eq!(american.find("sign_in.password"), Some("Passcode"));
    assert_eq!(theme.translations[3].find("sign_in.title"), Some("(fr) Sign in"));
}
