use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[test]
fn the_style_is_allowed_by_its_hash() {
    let pages = Pages::default();
    let digest = STANDARD.encode(digest::digest(&digest::SHA256, pages.view(Language::default()).style().as_bytes()));
    let policy = pages.policy(NO_FORM, Frames::Nobody);
    assert!(policy.to_str().expect("ASCII").contains(&format!("style-src 'sha256-{digest}';")), "{policy:?}");
}

#[test]
fn a_source_list_that_is_no_header_allows_nothing() {
    assert_eq!(Pages::default().policy("'self' https://a\nb", Frames::Nobody), "default-src 'none'");
}
