//! `mail`, `sms` and `messages` of a user pool.

use super::{report_of, warnings};
use crate::config::tests::{SOUND, files, load_in};
use crate::secret::Secret;
use crate::testing::Directory;
use crate::user_pool::messages::settings::{Ceilings, MailBy, Security, Sender, Settings, SmsBy};

const POOL: &str = "user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key
";
const STORE: &str = "    store: { sqlite: people.db, key_files: [session-key-2] }\n";

/// What is said of a pool with a store and these lines.
#[track_caller]
fn refused(lines: &str, expected: &str) {
    let report = report_of("messages-refused", &format!("{SOUND}{POOL}{STORE}    {lines}\n"));
    assert!(report.contains(expected), "{lines}: {report}");
}

fn settled_in(files: &Directory, lines: &str) -> Settings {
    let text = format!("{SOUND}{POOL}{STORE}    {lines}\n");
    let config = load_in(files, &text).unwrap_or_else(|report| panic!("{report}"));
    config.user_pools[0].settings.messages.clone()
}

fn settled(lines: &str) -> Settings {
    settled_in(&files("messages-settled"), lines)
}

#[test]
fn the_address_of_a_mail_server_says_how_the_connection_is_protected() {
    for (address, more, expected) in [
        ("smtps://mail.example.com", "", ("mail.example.com", 465, Security::Tls)),
        ("smtps://mail.example.com:4650/", "", ("mail.example.com", 4650, Security::Tls)),
        ("smtp://Mail.example.com", "", ("mail.example.com", 587, Security::StartTls)),
        ("smtp://192.0.2.1:25", "", ("192.0.2.1", 25, Security::StartTls)),
        ("smtp://localhost", "", ("localhost", 25, Security::Plain)),
        ("smtp://127.0.0.1:2525", "", ("127.0.0.1", 2525, Security::Plain)),
        ("smtp://[::1]", "", ("::1", 25, Security::Plain)),
        ("smtp://localhost", ", ca_file: ca.pem", ("localhost", 587, Security::StartTls)),
    ] {
        let settings = settled(&format!("mail: {{ smtp: '{address}', from: no-reply@example.com{more} }}"));
        let Some(MailBy::Smtp(mail)) = settings.mail else { panic!("a server") };
        assert_eq!((mail.host.as_str(), mail.port, mail.security), expected, "{address}");
        assert_eq!(mail.roots.is_empty(), more.is_empty());
    }
}

#[test]
fn what_a_pool_can_send_by() {
    assert_eq!(settled(""), Settings::default());
    let mail = "mail: { smtp: 'smtps://mail.example.com', from: 'Example <a@example.com>', reply_to: b@example.com, \
                username: pool, password_file: secret }";
    let Some(MailBy::Smtp(mail)) = settled(mail).mail else { panic!("a server") };
    assert_eq!(mail.credentials.map(|with| with.password), Some(Secret::new("hunter2".into())));
    assert_eq!((mail.from.to_string().as_str(), mail.reply_to.is_some()), ("Example <a@example.com>", true));
    let twilio = "sms: { twilio: { account_sid: AC1, auth_token_file: secret, from: Example }, prefixes: ['+49'] }";
    let sms = settled(twilio).sms.expect("a gateway");
    let SmsBy::Twilio { url, sender, .. } = sms.by else { panic!("Twilio") };
    assert_eq!((url.as_str(), sender), ("https://api.twilio.com/", Sender::From("Example".into())));
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let webhook = format!("sms: {{ webhook: {{ url: 'http://127.0.0.1:1/', secret: {secret} }}, prefixes: ['+49'] }}");
    let SmsBy::Webhook { secret, .. } = settled(&webhook).sms.expect("a gateway").by else { panic!("a webhook") };
    assert_eq!(secret.expose()[..4], [0, 1, 2, 3]);
    let limits = settled("messages: { limits: { mails: 7 } }").limits;
    assert_eq!(limits, Ceilings { mails: 7, ..Ceilings::default() });
}

#[test]
fn mail_servers_that_make_no_sense() {
    for (mail, expected) in [
        ("smtp: mail.example.com, from: a@example.com", "`mail.example.com` is not the address of a mail server"),
        ("smtp: 'https://mail.example.com', from: a@example.com", "is not the address of a mail server"),
        ("smtp: 'smtps://pool:hunter2@mail.example.com', from: a@example.com", "must not contain a user name"),
        ("smtp: 'smtps://mail.example.com/path', from: a@example.com", "has more than a host and a port"),
        ("smtp: 'smtps://mail.example.com', from: nobody", "`nobody` is not an e-mail address"),
        ("smtp: 'smtps://mail.example.com', from: a@example.com, username: pool", "`username` needs a password"),
        ("smtp: 'smtps://mail.example.com', from: a@example.com, password_file: secret", "a password needs `username`"),
        ("smtp: 'smtps://mail.example.com', from: a@example.com, ca_file: secret", "contains no certificates"),
        ("smtp: 'smtps://mail.example.com'", "from"),
    ] {
        refused(&format!("mail: {{ {mail} }}"), expected);
    }
}

#[test]
fn gateways_that_make_no_sense() {
    for (sms, expected) in [
        ("prefixes: ['+49']", "expected `webhook` or `twilio`"),
        ("prefixes: ['49'], webhook: { url: 'https://sms.example.com', secret_file: secret }", "`49` is not the start"),
        ("webhook: { url: 'https://sms.example.com', secret_file: secret }", "the secret is not `whsec_` and 24 to 64"),
        ("webhook: { url: 'https://sms.example.com' }", "expected `secret_file`"),
        ("webhook: { url: 'http://sms.example.com', secret_file: secret }", "is not `https`"),
        ("twilio: { account_sid: AC1, auth_token_file: secret }", "expected `from` or `messaging_service_sid`"),
        ("twilio: { account_sid: AC/1, auth_token_file: secret, from: a }", "`AC/1` is not the SID"),
        ("twilio: { account_sid: AC1, auth_token_file: secret, from: a, messaging_service_sid: MG1 }", "keep one"),
    ] {
        refused(&format!("sms: {{ {sms} }}"), expected);
    }
    for limits in ["per_user: 0", "mails: 0", "sms: 1000001"] {
        refused(&format!("messages: {{ limits: {{ {limits} }} }}"), "is out of range");
    }
    let text = format!("{SOUND}{POOL}    mail: {{ smtp: 'smtps://mail.example.com', from: a@example.com }}\n");
    assert!(report_of("messages-storeless", &text).contains("`mail` needs `store`"));
}

#[test]
fn sms_to_every_country_are_warned_of() {
    let sms = "    sms: { twilio: { account_sid: AC1, auth_token_file: secret, from: a } }\n";
    let pool = format!("{POOL}{STORE}{sms}target_groups:\n");
    let warned = warnings("messages-countries", &[("target_groups:\n", &pool)]);
    assert!(warned.contains("SMS are sent to all countries"), "{warned}");
}

#[test]
fn texts_of_messages_are_read_and_checked() {
    let files = files("messages-texts");
    let texts = "reset.subject: \"Hello\"\nreset.html: |\n  <p>{####}\n  <style>p{color:red}</style>\n";
    std::fs::write(files.join("en.yaml"), texts).expect("written");
    let settings = settled_in(&files, "messages: { texts: { en: en.yaml } }");
    assert_ne!(settings.texts, Settings::default().texts);
    let wrong = "reset.text: \"There is no code.\"\nreset.body: \"x\"\nfooter: [a]\n";
    std::fs::write(files.join("en.yaml"), wrong).expect("written");
    let text = format!("{SOUND}{POOL}{STORE}    messages: {{ texts: {{ en: en.yaml }} }}\n");
    let report = load_in(&files, &text).expect_err("a mistake").to_string();
    for part in [
        "en.yaml:1: `reset.text` needs the placeholder {####}",
        "en.yaml:2: there is no text `reset.body`",
        "en.yaml:3: `footer` must be text, in quotes",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    std::fs::write(files.join("fr.yaml"), "reset.subject: \"Bonjour\"\n").expect("written");
    let text = format!("{SOUND}{POOL}{STORE}    messages: {{ texts: {{ fr: fr.yaml }} }}\n");
    let report = load_in(&files, &text).expect_err("a mistake").to_string();
    assert!(report.contains("lacks these texts") && report.contains("vestibule texts --messages > FILE"), "{report}");
}
