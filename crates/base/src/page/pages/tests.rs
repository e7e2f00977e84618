use http::{HeaderMap, StatusCode, header};

use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::language::Language;
use crate::page::link::Link;
use crate::page::logo::Logo;
use crate::page::pages::{
    Account, Choose, ChooseFactor, Code, CodeKind, Confirm, Demo, EmailForm, FactorItem, FactorPage, FactorPart,
    FactorSaid, ItemButton, Letter, Letters, NameField, Notice, Offered, Picture, PostBack, RecoveryCodes, Redirecting,
    Refused, SetUpTotp, SignIn, SignOut, Terminal,
};
use crate::page::sentence::Sentence;
use crate::page::site::{NO_FORM, Pages, STYLE, View};
use crate::page::text::Text;

const ID: &str = "1-6b054400-0123456789abcdef01234567";

/// Every page, by name. `hostile` is the value of every field that takes text.
fn every_page<'a>(view: View<'_>, hostile: Option<&'a str>) -> Vec<(&'static str, WholeResponse)> {
    let text = |usual: &'a str| hostile.unwrap_or(usual);
    let pairs = |pairs: &[(&'a str, &'a str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (text(name).to_owned(), text(value).to_owned())).collect()
    };
    let own = "'self'";
    let mut pages = Vec::new();
    let mut add = |name, response| pages.push((name, response));
    let notes = [
        Sentence::from(Text::AccessSignedInAs).named("user", text("alice")).named("provider", text("corp")),
        Sentence::from(Text::AccessContact).quoted("contact", text("it@example.com")),
    ];
    let links = [
        Link::here(Text::LinkSignInOrSwitch, text("/oauth2/sign_in?state=a")).in_a_new_tab(),
        Link::same_address(Text::LinkTryAgain),
    ];
    let (status, code, request_id) = (403, "auth.not_allowed", Some(text(ID)));
    let refused = Refused { view, status, code, notes: &notes, links: &links, request_id };
    add("refused", view.respond(StatusCode::FORBIDDEN, &refused, NO_FORM, Frames::SameOrigin));
    let notice = Notice {
        view,
        title: Text::SignedOutTitle,
        text: Text::SignedOutAdvice,
        link: Link::here(Text::LinkSignInAgain, text("/")),
    };
    add("notice", view.respond(StatusCode::OK, &notice, NO_FORM, Frames::Nobody));
    let terminal = Terminal { view, title: Text::TerminalDoneTitle, text: Text::TerminalDoneAdvice };
    add("terminal", view.respond(StatusCode::OK, &terminal, NO_FORM, Frames::Nobody));
    let redirecting = Redirecting { view, location: text("/wiki?a=1&b=2") };
    add("redirecting", view.respond(StatusCode::OK, &redirecting, NO_FORM, Frames::Nobody));
    let offered = |title: &'a str, is_last| Offered {
        title: text(title).into(),
        logo: Logo::read(b"<svg xmlns='http://www.w3.org/2000/svg'/>").ok().filter(|_| is_last),
        href: text("/oauth2/sign_in?state=a&idp=corp").to_owned(),
        is_last,
    };
    let providers = [offered("Example Corporation", true), offered("Our partners", false)];
    let choose = Choose { view, providers: &providers, form: None };
    add("choose", view.respond_with_logos(StatusCode::OK, &choose, NO_FORM, Frames::Nobody));
    let (action, ticket, account) = ("/oauth2/sign_in", text("c4rr1ed"), Some(text("other")));
    let alert = Some(Text::ChooseEmailUnknown);
    let form = Some(EmailForm { action, ticket, account, typed: text("ada@example.com"), alert });
    let choose = Choose { form, ..choose };
    add("choose_by_email", view.respond_with_logos(StatusCode::OK, &choose, own, Frames::Nobody));
    let (action, carried, username) = ("/sign-in", text("c4rr1ed"), hostile.unwrap_or_default());
    let application = Some(text("The Dashboard"));
    let sign_in = SignIn {
        view,
        title: hostile,
        application,
        purpose: None,
        action,
        carried,
        name_label: Text::SignInUserName,
        username,
        alert: None,
        links: &[],
        passkey: None,
        providers: None,
        is_name_only: false,
    };
    add("sign_in", view.respond(StatusCode::OK, &sign_in, own, Frames::Nobody));
    let alert = Sentence::from(Text::SignInTooManyAttempts).words("wait", Sentence::duration(30));
    let again = SignIn { title: Some(text("Example")), username: text("alice"), alert: Some(alert), ..sign_in };
    add("sign_in_again", view.respond(StatusCode::OK, &again, own, Frames::Nobody));
    let sign_out = SignOut { view, application, action: "/sign-out", home: "/sign-in", carried };
    add("sign_out", view.respond(StatusCode::OK, &sign_out, own, Frames::Nobody));
    let scopes = [Text::ConfirmOpenid, Text::ConfirmGroups, Text::ConfirmOfflineAccess];
    let (application, user) = (text("The command line"), text("alice"));
    let (action, resources) = ("/confirm", [text("https://app.example.com").to_owned()]);
    let confirm = Confirm { view, application, user, scopes: &scopes, resources: &resources, action, carried };
    add("confirm", view.respond(StatusCode::OK, &confirm, own, Frames::Nobody));
    let fields = pairs(&[("code", "c0de"), ("state", "st&te")]);
    let post_back = PostBack { view, action: text("https://app.example.com/cb"), fields: &fields };
    add("post_back", view.respond(StatusCode::OK, &post_back, own, Frames::Nobody));
    let applications = pairs(&[("Wiki", "https://wiki.example.com/")]);
    let account = Account {
        account: Some("/account"),
        view,
        user: text("Alice"),
        applications: &applications,
        add_passkey: None,
        action: "/sign-out",
        carried,
    };
    add("account", view.respond(StatusCode::OK, &account, own, Frames::Nobody));
    let (action, others) = ("/sign-in/step", [("recovery_code", Text::MfaUseRecovery)]);
    let (lead, kind) = (Sentence::from(Text::MfaTotpLead).named("user", text("alice")), CodeKind::Digits);
    let alert = Some(Sentence::from(Text::MfaWrongCode));
    let code = Code { view, lead, kind, action, carried, trust_days: Some(30), others: &others, alert };
    add("code", view.respond(StatusCode::OK, &code, own, Frames::Nobody));
    let picture = Some(Picture { width: 1, path: "M0 0h1v1h-1z".into() });
    let (groups, uri) = ([text("ABCD"), text("EFGH")], text("otpauth://totp/x"));
    let set_up =
        SetUpTotp { view, lead: Text::MfaSetUpLead, picture, groups: &groups, uri, action, carried, alert: None };
    add("set_up_totp", view.respond(StatusCode::OK, &set_up, own, Frames::Nobody));
    let button = |label| ItemButton { name: "remove", value: text("id-1").to_owned(), label };
    let item = FactorItem {
        title: Sentence::verbatim(text("Phone")),
        facts: Sentence::from(Text::FactorsAdded).quoted("added", text("2026-11-30")),
        field: Some(NameField { button: button(Text::FactorsRename), typed: text("Phone").to_owned(), length_max: 64 }),
        note: Some(Text::FactorsLast.into()),
        buttons: vec![button(Text::FactorsRemove)],
    };
    let part = FactorPart {
        title: Text::FactorsPasskeysTitle,
        lead: vec![Sentence::from(Text::FactorsAddress).quoted("address", text("ada@example.com"))],
        items: vec![item],
        buttons: vec![button(Text::FactorsForgetAll)],
        links: vec![Link::here(Text::PasskeyAddTitle, text("/account/passkey"))],
    };
    let list = FactorPage {
        view,
        title: Text::FactorsTitle,
        said: Some(FactorSaid { sentence: Text::FactorsOnly.into(), is_refused: true }),
        action,
        carried,
        parts: vec![part],
        links: vec![Link::here(Text::AccountBack, text("/account"))],
    };
    add("account_factors", view.respond(StatusCode::CONFLICT, &list, own, Frames::Nobody));
    let codes = [text("22222-33333-44444").to_owned()];
    let codes = RecoveryCodes { view, codes: &codes, action, carried };
    add("recovery_codes", view.respond(StatusCode::OK, &codes, own, Frames::Nobody));
    let choices = [("totp", Text::MfaSetUpTotp), ("passkey", Text::MfaSetUpPasskey)];
    let choose = ChooseFactor { view, choices: &choices, action, carried };
    add("choose_factor", view.respond(StatusCode::OK, &choose, own, Frames::Nobody));
    let (claims, headers) = (pairs(&[("sub", "alice")]), pairs(&[("accept", "text/html")]));
    let (user, method, target) = (Some(text("Alice")), text("GET"), text("/?a=1&b=2"));
    let demo = Demo { view, user, sign_out: text("/out"), claims: &claims, method, target, headers: &headers };
    add("demo", view.respond(StatusCode::OK, &demo, NO_FORM, Frames::Nobody));
    let letter = |subject: Option<&str>| Letter {
        to: text("ada@example.com").to_owned(),
        at: text("2026-11-24T08:00:00Z").to_owned(),
        subject: subject.map(str::to_owned),
        text: text("Your code is 123456.\nhttps://login.example.com/confirmUser?code=1&b=2").to_owned(),
    };
    let letters = [letter(Some(text("Your code"))), letter(None)];
    add("letters", view.respond(StatusCode::OK, &Letters { view, letters: &letters }, NO_FORM, Frames::Nobody));
    pages
}

fn html(response: &WholeResponse) -> &str {
    std::str::from_utf8(response.body()).expect("UTF-8")
}

/// Without the style, which changes for other reasons.
fn plain(response: &WholeResponse) -> String {
    html(response).replace(STYLE, "…")
}

#[test]
fn pages_read_like_this() {
    let pages = Pages::default();
    for (name, page) in every_page(pages.view(Language::default()), None) {
        insta::assert_snapshot!(name, plain(&page));
    }
}

#[test]
fn some_pages_read_like_this_in_german() {
    let pages = Pages::default();
    let german = pages.asked_for("de").expect("German is there");
    for (name, page) in every_page(pages.view(german), None) {
        if ["choose_by_email", "confirm", "refused", "sign_in_again", "sign_out"].contains(&name) {
            insta::assert_snapshot!(format!("{name}_de"), plain(&page));
        }
    }
}

#[test]
fn x_01_no_text_opens_a_tag_or_closes_an_attribute() {
    let hostile = "<script>\"'&{user}";
    let escaped = "&#60;script&#62;&#34;&#39;&#38;{user}";
    let pages = Pages::default();
    for (name, page) in every_page(pages.view(Language::default()), Some(hostile)) {
        let body = html(&page);
        assert!(!body.contains("<script") && !body.contains("\"'"), "{name}: {body}");
        // The end of a sign-in of a program has no text of others.
        assert!(body.contains(escaped) || name == "terminal", "{name}: {body}");
    }
}

/// Writes every page to `PAGES_DIRECTORY` in every language, for somebody to look at.
#[test]
fn every_page_is_whole_in_every_language() {
    let pages = Pages::default();
    for tag in ["en", "de"] {
        let language = pages.asked_for(tag).expect("the language is there");
        for (name, page) in every_page(pages.view(language), None) {
            let body = html(&page);
            assert!(body.starts_with("<!doctype html>\n") && body.ends_with("</html>"), "{name}: {body}");
            assert!(body.contains(&format!("<html lang=\"{tag}\">")), "{name}");
            assert_eq!(body.matches("<h1>").count(), 1, "{name}");
            // It goes on in the terminal there.
            assert!(body.contains("<form") || body.contains("<a ") || name == "terminal", "{name} has a way on");
            // A placeholder without a value, and a text that is not there.
            let text = body.replace(STYLE, "…");
            let is_empty = ["p", "a", "h1", "h2", "label", "button", "title", "td", "th", "strong"]
                .into_iter()
                .any(|tag| text.contains(&format!("<{tag}></{tag}>")) || text.contains(&format!("\"></{tag}>")));
            assert!(!text.contains('{') && !is_empty, "{name}: {text}");
            for inline in [" style=", " onclick=", " onload=", " onerror=", "<script", "javascript:"] {
                assert!(!text.contains(inline), "{name}: {inline}");
            }
            if let Some(directory) = option_env!("PAGES_DIRECTORY") {
                std::fs::write(format!("{directory}/{name}-{tag}.html"), body).expect("the directory is there");
            }
        }
    }
}

#[test]
fn x_07_a_page_may_not_be_framed_stored_sniffed_or_scripted() {
    let pages = Pages::default();
    for (name, page) in every_page(pages.view(Language::default()), None) {
        let has = |name: http::HeaderName| page.headers()[name].to_str().expect("ASCII").to_owned();
        let policy = has(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{name}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{name}: {policy}");
        let (ancestors, option) = if name == "refused" { ("'self'", "SAMEORIGIN") } else { ("'none'", "DENY") };
        assert!(policy.ends_with(&format!("frame-ancestors {ancestors}")), "{name}: {policy}");
        assert_eq!(has(header::X_FRAME_OPTIONS), option, "{name}");
        let forms = if html(&page).contains("<form") { "'self'" } else { "'none'" };
        assert!(policy.contains(&format!("form-action {forms};")), "{name}: {policy}");
        assert_eq!(policy.contains("img-src data:;"), html(&page).contains("<img"), "{name}: {policy}");
        assert_eq!(has(header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(has(header::CACHE_CONTROL), "no-store");
        assert_eq!(has(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(has(header::REFERRER_POLICY), "no-referrer");
    }
}

#[test]
fn the_answer_is_in_the_language_that_the_client_asks_for() {
    let pages = Pages::default();
    let check = |sent: &'static str, expected: &str| {
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, http::HeaderValue::from_static(sent))]);
        let (_, page) = every_page(pages.view_for(&headers), None).remove(0);
        assert_eq!(page.headers()[header::CONTENT_LANGUAGE], expected, "{sent}");
    };
    check("de-AT, de;q=0.9, en;q=0.8", "de");
    check("fr", "en");
}
