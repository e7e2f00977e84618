use super::*;
use crate::page::STYLE;

fn view(notice: Option<Notice>) -> SignInView<'static> {
    SignInView { title: "Sign in", client: Some("The Dashboard"), carried: "c4rr1ed", username: "", notice }
}

/// The page without its style, which changes for other reasons.
fn plain(page: &str) -> String {
    page.replace(STYLE, "…")
}

#[test]
fn the_sign_in_page() {
    insta::assert_snapshot!(plain(&sign_in(&view(None))));
}

#[test]
fn the_sign_in_page_after_a_wrong_password() {
    let view = SignInView { username: "alice", ..view(Some(Notice::Wrong)) };
    insta::assert_snapshot!(plain(&sign_in(&view)));
}

#[test]
fn the_question_whether_to_sign_out() {
    insta::assert_snapshot!(plain(&ask_to_sign_out(&Question::SignOut { client: Some("The Dashboard") }, "c4rr1ed")));
}

#[test]
fn x_01_nothing_that_is_shown_opens_a_tag() {
    let evil = "\"'><script>alert(1)</script>&";
    let view =
        SignInView { title: evil, client: Some(evil), carried: evil, username: evil, notice: Some(Notice::Wrong) };
    let pages = [
        sign_in(&view),
        ask_to_sign_out(&Question::SignOut { client: Some(evil) }, evil),
        ask_to_sign_out(&Question::SignedIn { name: evil, applications: &[(evil.into(), evil.into())] }, evil),
        refused(Refused::Expired, evil, Some(evil)),
    ];
    for page in pages {
        assert!(!page.contains("<script") && !page.contains("\"'>"), "{page}");
    }
}

#[test]
fn waits_are_told_in_words() {
    let check =
        |seconds, text: &str| assert!(Notice::TooMany(seconds).text().ends_with(&format!(" in {text}.")), "{text}");
    check(0, "a second");
    check(30, "30 seconds");
    check(91, "2 minutes");
}

/// Writes every page to `PAGES_DIRECTORY`, for somebody to look at.
#[test]
fn every_page_is_whole() {
    let id = Some("1-6b054400-0123456789abcdef01234567");
    let wrong = SignInView { username: "alice", ..view(Some(Notice::Wrong)) };
    let applications = [("Wiki".to_owned(), "https://wiki.example.com/".to_owned())];
    let pages = [
        ("sign-in", sign_in(&view(None))),
        ("wrong", sign_in(&wrong)),
        ("too-many", sign_in(&SignInView { notice: Some(Notice::TooMany(30)), ..wrong })),
        ("question", ask_to_sign_out(&Question::SignOut { client: Some("The Dashboard") }, "c4rr1ed")),
        ("signed-in", ask_to_sign_out(&Question::SignedIn { name: "Alice", applications: &applications }, "c4rr1ed")),
        ("signed-out", signed_out()),
        ("error", error(PageError::UnknownRedirect, id)),
        ("home", sign_in(&SignInView { client: None, ..view(None) })),
        ("expired", refused(Refused::Expired, "https://app.example.com/", id)),
        ("question-expired", refused(Refused::QuestionExpired, routes::SIGN_IN, id)),
        ("foreign", refused(Refused::Foreign, routes::SIGN_IN, id)),
        ("not-found", not_found(id)),
    ];
    for (name, page) in pages {
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{name}");
        assert_eq!(page.matches("<h1>").count(), 1, "{name}");
        assert!(page.contains("<form") || page.contains("<a "), "{name} has a way on");
        let is_error = !page.contains("<form") && name != "signed-out";
        assert_eq!(page.contains("Request <code>1-6b054400-0123456789abcdef01234567</code>"), is_error, "{name}");
        if let Some(directory) = option_env!("PAGES_DIRECTORY") {
            std::fs::write(format!("{directory}/{name}.html"), page).expect("the directory is there");
        }
    }
}
