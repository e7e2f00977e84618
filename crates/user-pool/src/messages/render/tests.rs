use std::collections::BTreeMap;

use super::*;

static FRAME: std::sync::LazyLock<Frame> = std::sync::LazyLock::new(|| Frame::new(&Default::default()));

fn values<'v>(secret: Option<&'v str>, link: Option<&'v str>) -> Values<'v> {
    Values {
        username: "ada",
        secret,
        link,
        lifetime: Duration::from_hours(24),
        title: "Example & Sons",
        host: "login.example.com",
        frame: &FRAME,
    }
}

fn with(key: &str, text: &str) -> Texts {
    let mut translation = texts::built_in()[0].clone();
    translation.set(key, text);
    Texts::new(vec![translation])
}

#[track_caller]
fn mail(texts: &Texts, kind: Kind, language: Option<&str>, values: &Values<'_>) -> (String, String, String) {
    match texts.render(kind, Medium::Email, language, values) {
        courier::Texts::Email { subject, text, html } => {
            (subject.expose().clone(), text.expose().clone(), html.expose().clone())
        }
        courier::Texts::Sms(_) => panic!("a mail"),
    }
}

#[test]
fn a_mail_says_the_same_as_text_and_as_html() {
    let values = values(Some("123456"), Some("https://login.example.com/confirm?a=1&b=2"));
    let (subject, text, html) = mail(&Texts::default(), Kind::Verification, None, &values);
    assert_eq!(subject, "123456 is your code for Example & Sons");
    assert_eq!(
        text,
        "Use this code to confirm that this is your e-mail address at Example & Sons:\n\n123456\n\n\
         Confirm the address: https://login.example.com/confirm?a=1&b=2\n\n\
         It is valid for 24 hours. If you did not ask for it, you need not do anything.\n\n\
         -- \nThis mail was sent by Example & Sons (login.example.com).\n"
    );
    assert!(html.contains("lang=\"en\"") && html.contains(">123456</p>"), "{html}");
    assert!(html.contains("href=\"https://login.example.com/confirm?a=1&amp;b=2\""), "{html}");
    assert!(html.contains("Example &amp; Sons") && !html.contains("Example & Sons"), "{html}");
    assert!(!html.contains("<img") && !html.contains("url(") && !html.contains("{body}"), "{html}");
}

#[test]
fn a_line_without_its_value_is_left_out() {
    let (_, text, html) = mail(&Texts::default(), Kind::Verification, None, &values(Some("123456"), None));
    assert!(text.contains("123456\n\nIt is valid"), "{text}");
    assert!(!html.contains("Confirm the address") && !html.contains("href"), "{html}");
}

#[test]
fn it_is_in_the_language_of_the_user() {
    let (subject, text, html) = mail(&Texts::default(), Kind::Reset, Some("de-CH"), &values(Some("123456"), None));
    assert_eq!(subject, "Neues Passwort für Example & Sons");
    assert!(text.starts_with("Guten Tag ada,\n") && text.contains("Er gilt 24 Stunden."), "{text}");
    assert!(html.contains("lang=\"de\""), "{html}");
}

#[test]
fn what_a_user_is_called_is_neither_html_nor_a_placeholder_nor_a_line() {
    let evil = "<b>{####}</b>\"{body}\r\nBcc: eve@example.com\u{0}";
    let values = Values { username: evil, ..values(Some("123456"), None) };
    let texts = with("reset.subject", "For {username}");
    let (subject, text, html) = mail(&texts, Kind::Reset, None, &values);
    assert_eq!(subject, "For <b>{####}</b>\"{body}  Bcc: eve@example.com");
    assert!(text.starts_with("Hello <b>{####}</b>\"{body}  Bcc: eve@example.com ,\n"), "{text}");
    assert!(html.contains("Hello &lt;b&gt;{####}&lt;/b&gt;&quot;{body}  Bcc: eve@example.com ,"), "{html}");
    assert_eq!(html.matches("123456").count(), 1, "{html}");
    let long = "x".repeat(500);
    let values = Values { username: &long, ..values };
    assert!(!mail(&texts, Kind::Reset, None, &values).1.contains(&"x".repeat(USERNAME_MAX + 1)));
}

#[test]
fn the_html_of_an_operator_is_used_as_it_is_with_escaped_values() {
    let own = "<style>p{color:red}</style><p>{username}: {####} {##Go##} {##Go & on##}</p>";
    let texts = with("reset.html", own);
    let values = Values { username: "<ada>", ..values(Some("1<2"), Some("https://x.test/?a&b")) };
    let (.., html) = mail(&texts, Kind::Reset, None, &values);
    assert_eq!(
        html,
        "<style>p{color:red}</style><p>&lt;ada&gt;: 1&lt;2 <a href=\"https://x.test/?a&amp;b\">Go</a> \
         <a href=\"https://x.test/?a&amp;b\">Go & on</a></p>"
    );
    let (.., html) = mail(&texts, Kind::Reset, None, &Values { link: None, ..values });
    assert!(html.ends_with(": 1&lt;2  </p>"), "{html}");
}

#[test]
fn an_sms_ends_with_what_browsers_fill_in() {
    let rendered = Texts::default().render(Kind::SecondFactor, Medium::Sms, None, &values(Some("123456"), None));
    let courier::Texts::Sms(text) = rendered else { panic!("an SMS") };
    // https://wicg.github.io/sms-one-time-codes/: the last line.
    assert_eq!(text.expose().lines().last(), Some("@login.example.com #123456"));
}

#[test]
fn a_lifetime_is_in_words() {
    let english = &texts::built_in()[0];
    for (seconds, expected) in [
        (10, "one minute"),
        (180, "3 minutes"),
        (595, "10 minutes"),
        (3600, "one hour"),
        (5400, "90 minutes"),
        (86_400, "24 hours"),
        (7 * 86_400, "7 days"),
    ] {
        assert_eq!(lifetime(english, Duration::from_secs(seconds)), expected);
    }
}

#[test]
fn every_message_of_every_language_can_be_made() {
    for language in ["en", "de"] {
        for kind in Kind::ALL {
            let values = values(Some("123456"), Some("https://login.example.com/"));
            let (subject, text, html) = mail(&Texts::default(), kind, Some(language), &values);
            for made in [&subject, &text, &html] {
                assert!(!made.trim().is_empty() && !made.contains("{#") && !made.contains("{title}"), "{made}");
            }
        }
    }
    let none = Texts::new(vec![Translation::new("fr", BTreeMap::new())]);
    assert_eq!(mail(&none, Kind::Reset, None, &values(None, None)).0, "");
}
