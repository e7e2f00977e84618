use super::*;
use crate::clock::Timestamp;
use crate::messages::courier::double::MailServer;
use crate::messages::message::Kind;

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

async fn deliver(smtp: &Smtp, to: &str, subject: &str) -> Result<String, Undelivered> {
    let texts = super::super::Texts::Sms(secret("unused"));
    let written_at = Timestamp::from_seconds(1_800_000_000);
    let letter = Letter { id: "0000-1111", kind: Kind::Reset, to, written_at, texts: &texts };
    smtp.deliver(&letter, &secret(subject), &secret("Your code is 123456."), &secret("<p>123456</p>")).await
}

fn smtp(server: &MailServer) -> Smtp {
    Smtp::new(&server.mail(), "login.example.com", None).expect("a client")
}

#[tokio::test]
async fn a_mail_has_both_parts_and_what_mail_programs_want() {
    let server = MailServer::start("250 ok");
    let answer = deliver(&smtp(&server), "ada@example.com", "Grüße: 123456").await.expect("sent");
    assert_eq!(answer, "250 2.0.0 queued as 4711");
    let mail = server.mails().pop().expect("a mail");
    for line in [
        "Message-ID: <0000-1111@login.example.com>",
        "Date: Fri, 15 Jan 2027 08:00:00 +0000",
        "From: \"Example Ltd\" <no-reply@example.com>",
        "Reply-To: help@example.com",
        "To: ada@example.com",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "Your code is 123456.",
        "<p>123456</p>",
    ] {
        assert!(mail.lines().any(|found| found == line), "{line}\n{mail}");
    }
    assert!(mail.contains("multipart/alternative") && mail.contains("Subject: =?utf-8?"), "{mail}");
    let plain = mail.find("text/plain").zip(mail.find("text/html"));
    assert!(plain.is_some_and(|(plain, html)| plain < html), "RFC 2046 §5.1.4: the best comes last");
    assert!(server.commands().contains(&"EHLO login.example.com".to_owned()));
    assert!(server.commands().iter().any(|command| command.starts_with("AUTH PLAIN ")));
}

#[tokio::test]
async fn a_logo_is_beside_the_html_that_shows_it() {
    let server = MailServer::start("250 ok");
    let logo = Picture { media_type: "image/png".into(), bytes: b"a picture".to_vec() };
    let smtp = Smtp::new(&server.mail(), "login.example.com", Some(logo)).expect("a client");
    let texts = super::super::Texts::Sms(secret("unused"));
    let written_at = Timestamp::from_seconds(1_800_000_000);
    let letter = Letter { id: "0", kind: Kind::Reset, to: "ada@example.com", written_at, texts: &texts };
    for (html, has_logo) in [("<img src=\"cid:logo\">", true), ("<p>none</p>", false)] {
        smtp.deliver(&letter, &secret("Hello"), &secret("Hello"), &secret(html)).await.expect("sent");
        let mail = server.mails().pop().expect("a mail");
        let parts = ["multipart/related", "Content-ID: <logo>", "Content-Disposition: inline", "image/png"];
        assert_eq!(parts.map(|part| mail.contains(part)), [has_logo; 4], "{mail}");
        assert!(mail.contains("multipart/alternative"), "{mail}");
    }
}

#[tokio::test]
async fn nobody_puts_a_header_or_a_recipient_into_a_mail() {
    let server = MailServer::start("250 ok");
    let smtp = smtp(&server);
    for to in [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@example.com>",
        "",
        "ada",
    ] {
        let refused = deliver(&smtp, to, "Code").await;
        assert!(matches!(refused, Err(Undelivered::Never(_))), "{to}: {refused:?}");
    }
    assert!(server.mails().is_empty());
    deliver(&smtp, "ada@example.com", "Code\r\nBcc: eve@example.com\r\n\r\nhello").await.expect("sent");
    let mail = server.mails().pop().expect("a mail");
    assert!(!mail.lines().any(|line| line.starts_with("Bcc") || line == "hello"), "{mail}");
    let recipients = server.commands().into_iter().filter(|command| command.starts_with("RCPT")).count();
    assert_eq!(recipients, 1);
}

#[tokio::test]
async fn what_the_server_says_decides_whether_another_try_is_worth_it() {
    let check = |answer: &'static str, is_final: bool| async move {
        let server = MailServer::start(answer);
        let refused = deliver(&smtp(&server), "ada@example.com", "Code").await.expect_err("refused");
        assert_eq!(matches!(refused, Undelivered::Never(_)), is_final, "{answer}: {refused:?}");
        assert!(!refused.to_string().contains("ada@"), "no addresses in logs: {refused}");
        assert!(refused.to_string().contains(&answer[..3]), "{refused}");
    };
    check("550 5.1.1 <ada@example.com> does not exist", true).await;
    check("552 5.2.2 mailbox full", true).await;
    check("450 4.2.1 mailbox busy", false).await;
    check("451 4.7.1 greylisted", false).await;
    check("421 4.3.2 closing", false).await;
    check("530 5.7.0 authentication required", false).await;
    check("554 5.7.1 relay access denied", false).await;
}

#[tokio::test]
async fn a_server_that_is_down_or_silent_may_come_back() {
    let mut mail = MailServer::start("250 ok").mail();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    mail.port = free.local_addr().expect("bound").port();
    drop(free);
    let smtp = Smtp::new(&mail, "login.example.com", None).expect("a client");
    let refused = deliver(&smtp, "ada@example.com", "Code").await;
    assert!(matches!(refused, Err(Undelivered::Later(_))), "{refused:?}");
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_where_it_is_required() {
    let server = MailServer::start("250 ok");
    for security in [Security::StartTls, Security::Tls] {
        let mail = Mail { security, ..server.mail() };
        let smtp = Smtp::new(&mail, "login.example.com", None).expect("a client");
        let refused = tokio::time::timeout(Duration::from_secs(5), deliver(&smtp, "ada@example.com", "Code")).await;
        assert!(!matches!(refused, Ok(Ok(_))), "{refused:?}");
    }
    assert!(server.mails().is_empty());
    let signs_in = |command: &String| command.starts_with("AUTH") || command.starts_with("MAIL");
    assert!(!server.commands().iter().any(signs_in), "{:?}", server.commands());
}
