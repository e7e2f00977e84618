use super::*;
use crate::page::color::{Color, Colors, Role};
use crate::page::logo::Logo;
use crate::page::pages::Redirecting;
use crate::page::translation::{Translation, built_in};

/// A logo that would run scripts, if browsers let it.
const LOGO: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>";

fn shown(settings: Settings) -> (String, HeaderValue) {
    let pages = Pages::new(settings);
    let view = pages.view(Language::default());
    let response = view.respond(StatusCode::OK, &Redirecting { view, location: "/" }, NO_FORM, Frames::Nobody);
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].clone();
    (String::from_utf8(response.body().to_vec()).expect("UTF-8"), policy)
}

/// The hash of the style in a page is the one that its policy allows.
fn assert_style_is_allowed(page: &str, policy: &HeaderValue) {
    let (_, style) = page.split_once("<style>").expect("a style");
    let (style, _) = style.split_once("</style>").expect("its end");
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
    assert!(policy.to_str().expect("ASCII").contains(&format!("style-src 'sha256-{hash}';")), "{policy:?}");
}

#[test]
fn a_theme_changes_colours_title_and_texts() {
    let color = |text| Color::parse(text).expect("a colour");
    let (mut light, mut dark) = (Colors::default(), Colors::default());
    light.set(Role::Accent, color("#0a7"));
    dark.set(Role::Surface, color("#000"));
    let mut english: Translation = built_in()[0].clone();
    english.set("redirecting.title", "Hold on & <wait>");
    let title = Some("Example & <Sons>".to_owned());
    let theme =
        Settings { title, colors: light, colors_dark: dark, translations: [english].into(), ..Settings::default() };
    let (page, policy) = shown(theme);
    assert_style_is_allowed(&page, &policy);
    // The accent of the light scheme is not that of the dark one.
    let rules = ":root{--accent:#00aa77;}\n@media(prefers-color-scheme:dark){:root{--surface:#000000;--accent:#8ab4ff;}}\n</style>";
    assert!(page.contains(rules), "{page}");
    assert!(page.contains("<title>Hold on &#38; &#60;wait&#62; · Example &#38; &#60;Sons&#62;</title>"), "{page}");
    assert!(page.contains("<p class=\"brand\">Example &#38; &#60;Sons&#62;</p>"), "{page}");
    assert!(!policy.to_str().expect("ASCII").contains("img-src"), "there is no image: {policy:?}");
}

/// Browsers run no script of an image, and the policy allows none.
#[test]
fn x_07_a_logo_is_only_an_image() {
    let logo = || Logo::read(LOGO).expect("an SVG file");
    let (page, policy) = shown(Settings { logo: Some(logo()), logo_dark: Some(logo()), ..Settings::default() });
    assert_style_is_allowed(&page, &policy);
    let uri = format!("data:image/svg+xml;base64,{}", STANDARD.encode(LOGO));
    assert_eq!(page.matches(&*uri).count(), 2);
    assert!(page.contains(&format!("<img src=\"{uri}\" alt=\"\">")), "{page}");
    assert!(page.contains(&format!("<source media=\"(prefers-color-scheme:dark)\" srcset=\"{uri}\">")), "{page}");
    assert!(!page.contains("<svg") && !page.contains("<script"), "{page}");
    let policy = policy.to_str().expect("ASCII");
    assert!(policy.contains("default-src 'none'") && policy.contains(" img-src data:;"), "{policy}");
    assert!(!policy.contains("script-src") && !policy.contains("object-src"), "{policy}");
    // Only the logo for the dark scheme: it is shown in both.
    let (page, _) = shown(Settings { logo_dark: Some(logo()), ..Settings::default() });
    assert!(page.contains(&format!("<img src=\"{uri}\"")) && !page.contains("<source"), "{page}");
}

#[test]
fn a_source_list_that_is_no_header_allows_nothing() {
    let pages = Pages::default();
    let view = pages.view(Language::default());
    assert_eq!(view.policy("'self' https://a\nb", Frames::Nobody, false, None), "default-src 'none'");
}
