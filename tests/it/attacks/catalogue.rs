//! `docs/ATTACKS.md` and the tests: which test tries an attack over which protocol, for the families that every gate meets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::alb_page;

/// Families whose attacks are all in [`MATRIX`].
const FAMILIES: [char; 5] = ['B', 'D', 'F', 'W', 'X'];

/// Over which protocols the tests try it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Both,
    /// HTTP/2 cannot express it, or the other proxy asks over HTTP/1.1.
    Http1,
    /// HTTP/1.1 cannot express it.
    Http2,
    /// What is attacked does not see the protocol.
    Neither,
}

use Over::{Both, Http1, Http2, Neither};

/// An attack, the protocols, and the tests. One test may be enough for both protocols.
type Row = (&'static str, Over, &'static [&'static str]);

const MATRIX: [Row; 64] = [
    ("B-01", Both, &["bearer::b_01_b_02_a_request_without_a_token_is_401_and_is_not_sent_anywhere"]),
    ("B-02", Both, &["gates::b_02_b_15_a_credential_counts_in_its_own_place_only"]),
    ("B-03", Both, &["bearer::b_03_to_b_06_a_token_that_is_not_for_us_is_refused"]),
    ("B-04", Both, &["bearer::b_03_to_b_06_a_token_that_is_not_for_us_is_refused"]),
    ("B-05", Both, &["bearer::b_03_to_b_06_a_token_that_is_not_for_us_is_refused"]),
    (
        "B-06",
        Both,
        &["bearer::b_03_to_b_06_a_token_that_is_not_for_us_is_refused", "bearer::token_types_are_told_apart"],
    ),
    ("B-07", Both, &["gates::b_07_a_header_that_can_be_read_in_two_ways_is_refused"]),
    ("B-08", Both, &["bearer::b_08_a_session_and_a_token_of_two_users_are_refused"]),
    ("B-09", Both, &["bearer::b_09_algorithms_and_additional_claims_are_enforced"]),
    ("B-10", Both, &["bearer::b_03_to_b_06_a_token_that_is_not_for_us_is_refused"]),
    ("B-11", Both, &["gates::b_11_what_was_verified_for_one_rule_is_nothing_at_another"]),
    ("B-13", Both, &["bearer::b_13_a_bad_token_is_401_whatever_session_comes_with_it"]),
    ("B-15", Both, &["gates::b_02_b_15_a_credential_counts_in_its_own_place_only"]),
    ("B-16", Both, &["bearer::b_03_to_b_06_a_token_that_is_not_for_us_is_refused"]),
    (
        "B-20",
        Http1,
        &[
            "token_client::c_01_c_05_requests_of_other_pages_change_nothing",
            "token_client::c_05_an_answer_of_another_issuer_ends_the_sign_in_without_a_token",
        ],
    ),
    ("B-21", Neither, &["resources::b_03_no_client_gets_a_token_for_an_application_that_is_not_its_own"]),
    ("D-01", Http2, &["limits::d_rapid_resets_end_the_connection_and_not_the_proxy"]),
    ("D-02", Http2, &["frames::d_02_goaway_with_settings_harms_nobody"]),
    ("D-03", Http2, &["http2::d_empty_data_and_requests_that_are_taken_back_end_the_connection"]),
    ("D-04", Http2, &["frames::d_04_a_head_without_end_ends_the_connection"]),
    ("D-05", Http2, &["frames::d_05_frames_that_make_us_reset_streams_end_the_connection"]),
    ("D-06", Http2, &["frames::d_06_a_header_list_that_expands_is_not_kept"]),
    ("D-07", Both, &["denial::d_07_a_flood_of_cookies_is_nobody_or_refused"]),
    ("D-08", Both, &["denial::d_08_a_session_that_says_it_has_a_million_parts_is_none"]),
    ("D-09", Neither, &["codec::d_09_a_compressed_bomb_is_not_unpacked"]),
    ("D-10", Neither, &["strict_json::j_d10_nesting_is_bounded"]),
    ("D-11", Both, &["gates::d_07_d_11_d_13_d_17_a_refusal_costs_little_and_sets_no_cookie"]),
    (
        "D-12",
        Neither,
        &["redeemed::memory_is_bounded", "finishing::a_full_memory_refuses_the_newcomer_and_forgets_nobody"],
    ),
    ("D-13", Both, &["denial::d_13_a_post_without_a_content_type_is_an_answer_like_any_other"]),
    (
        "D-15",
        Both,
        &[
            "denial::d_15_a_head_that_does_not_end_is_cut_off",
            "limits::d_a_connection_on_which_nothing_moves_is_closed",
        ],
    ),
    ("D-16", Neither, &["login::d_16_an_image_on_another_site_begins_no_login_of_its_visitors"]),
    ("D-17", Both, &["denial::d_17_what_is_no_navigation_gets_no_cookie"]),
    ("D-18", Both, &["bearer::d_18_unknown_keys_are_fetched_rarely_and_a_provider_that_is_down_changes_nothing"]),
    ("D-19", Both, &["denial::d_19_a_pattern_is_matched_in_linear_time"]),
    ("D-21", Neither, &["frames::d_21_what_is_no_handshake_harms_nobody"]),
    ("D-22", Neither, &["d_22_only_so_many_wait_for_the_hasher"]),
    (
        "D-23",
        Http2,
        &["limits::d_an_answer_of_which_a_client_takes_nothing_is_given_up_although_its_connection_is_used"],
    ),
    ("D-24", Http2, &["http2::d_the_requests_of_one_address_leave_memory_for_those_of_others"]),
    (
        "D-25",
        Http2,
        &["limits::d_small_answers_of_which_a_client_takes_nothing_are_given_up_although_its_connection_is_used"],
    ),
    ("F-01", Both, &["gates::f_01_to_f_05_h_01_no_header_opens_a_gate"]),
    ("F-02", Both, &["gates::f_01_to_f_05_h_01_no_header_opens_a_gate"]),
    ("F-03", Both, &["forwarded::f_03_nobody_is_trusted_by_default", "mistakes::listeners::everyone_a_trusted_proxy"]),
    ("F-04", Both, &["forwarded::f_04_forwarded_headers_change_neither_redirects_nor_cookies"]),
    ("F-05", Both, &["forwarded::f_02_f_05_no_header_chooses_the_path"]),
    ("F-06", Both, &["forwarded::f_06_f_08_the_client_is_the_last_address_that_a_trusted_peer_vouches_for"]),
    ("F-07", Http1, &["attacks::f_11_nobody_else_is_answered", "forward_auth::f_07_what_cannot_be_read_is_refused"]),
    ("F-08", Both, &["forwarded::f_06_f_08_the_client_is_the_last_address_that_a_trusted_peer_vouches_for"]),
    ("F-09", Both, &["gates::f_09_a_session_that_does_not_open_is_nobody_at_each_gate"]),
    ("F-11", Http1, &["attacks::f_11_nobody_else_is_answered"]),
    ("W-01", Both, &["handshakes::w_01_w_02_w_05_a_handshake_meets_each_gate"]),
    ("W-02", Both, &["handshakes::w_01_w_02_w_05_a_handshake_meets_each_gate"]),
    ("W-03", Both, &["handshakes::w_03_a_websocket_ends_with_its_token"]),
    ("W-04", Both, &["handshakes::w_04_a_token_among_the_protocols_is_not_logged"]),
    (
        "W-05",
        Both,
        &["websocket::w_05_only_websockets_are_upgraded", "websocket_http2::w_05_only_websockets_are_opened"],
    ),
    (
        "W-06",
        Both,
        &[
            "forward::a_slow_client_holds_the_target_back",
            "websocket_http2::w_06_a_client_that_takes_nothing_loses_the_stream_and_keeps_little",
        ],
    ),
    ("W-07", Http2, &["websocket_http2::w_07_a_success_that_opens_nothing_is_none_for_the_client"]),
    ("X-01", Both, &["gates::x_01_to_x_03_x_07_a_refusal_repeats_nothing_and_stays_where_it_belongs"]),
    ("X-02", Both, &["gates::x_01_to_x_03_x_07_a_refusal_repeats_nothing_and_stays_where_it_belongs"]),
    ("X-03", Both, &["gates::x_01_to_x_03_x_07_a_refusal_repeats_nothing_and_stays_where_it_belongs"]),
    (
        "X-04",
        Neither,
        &[
            "authorize::the_page_says_who_is_signed_in_and_how_to_go_on",
            "pages::x_01_no_text_opens_a_tag_or_closes_an_attribute",
        ],
    ),
    ("X-07", Both, &["error_pages::x_07_every_answer_of_ours_has_the_headers_that_keep_it_where_it_belongs"]),
    ("X-08", Both, &["session::a_form_of_a_session_that_has_ended_is_not_lost_without_a_word"]),
    ("X-09", Both, &["our_cookies::b_6_an_answer_that_says_nothing_of_caches_is_private_where_it_has_a_cookie"]),
    ("X-10", Both, &["gates::x_10_a_preflight_opens_no_gate", "cors::x_10_another_origin_may_read_no_answer"]),
];

/// F-10 and F-12 are tried behind each other proxy by functions that a macro makes tests of.
const BEHIND_EACH_PROXY: [(&str, &str); 2] = [
    ("F-10", "h_01_h_02_h_03_h_09_no_client_says_who_it_is"),
    ("F-12", "f_12_no_host_but_the_one_of_the_site_is_asked_about"),
];

#[test]
fn each_attack_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ATTACKS.md")).expect("the page");
    let first = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    // An attack on what does not exist has a mark.
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains('†'));
    let known: BTreeSet<&str> = rows
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|id| id.starts_with(FAMILIES) && id.chars().nth(1) == Some('-'))
        .collect();
    assert!(first.count() > 200, "is the page read?");
    let listed: BTreeMap<&str, &Row> = MATRIX.iter().map(|row| (row.0, row)).collect();
    assert_eq!(listed.len(), MATRIX.len(), "one of them is there twice");
    let tests = alb_page::tests();
    let listed_or_behind: BTreeSet<&str> = listed.keys().copied().chain(BEHIND_EACH_PROXY.map(|(id, _)| id)).collect();
    let gone: Vec<_> = listed_or_behind.difference(&known).collect();
    assert!(gone.is_empty(), "docs/ATTACKS.md has no {gone:?}");
    let untried: Vec<_> =
        known.difference(&listed_or_behind).filter(|id| !tests.keys().any(|name| is_called(name, id))).collect();
    assert!(untried.is_empty(), "no test is called after {untried:?}, and none is in the table");
    for (id, over, names) in MATRIX {
        assert!(!names.is_empty(), "{id} {over:?}");
        for name in names {
            assert!(alb_page::exists(name, &tests), "{id}: there is no test `{name}`");
        }
    }
    let source = fs::read_to_string(root.join("tests/it/forward_auth.rs")).expect("the tests");
    let (_, list) = source.split_once("behind!(nginx").expect("the list");
    let (list, _) = list.split_once("});").expect("its end");
    for (id, name) in BEHIND_EACH_PROXY {
        assert!(list.lines().any(|line| line.trim() == name), "{id}: {name}");
    }
}

/// Whether a test is called after an attack: `b_07_…`, `d_07_d_11_…`, `b_03_to_b_06_…`.
fn is_called(test: &str, id: &str) -> bool {
    let words: Vec<&str> = test.split('_').collect();
    let attack = |at: usize| Some((*words.get(at)?, words.get(at + 1)?.parse::<u32>().ok()?));
    let (family, number) = id.split_once('-').expect("a family and a number");
    let (family, number) = (family.to_lowercase(), number.parse::<u32>().expect("a number"));
    (0..words.len()).any(|at| match (attack(at), words.get(at + 2), attack(at + 3)) {
        (Some((first, from)), Some(&"to"), Some((_, to))) => first == family && (from..=to).contains(&number),
        (Some((first, only)), ..) => first == family && only == number,
        _ => false,
    })
}

#[test]
fn tests_are_called_after_attacks() {
    for (test, id, expected) in [
        ("b_07_a", "B-07", true),
        ("b_07_a", "B-08", false),
        ("d_07_d_11_x", "D-11", true),
        ("b_03_to_b_06_x", "B-05", true),
        ("b_03_to_b_06_x", "B-07", false),
        ("x_b_7_d", "D-07", false),
    ] {
        assert_eq!(is_called(test, id), expected, "{test} {id}");
    }
}

/// A test that is said to be over both protocols names both, itself or together with the others of its row.
#[test]
fn what_is_tried_over_both_protocols_names_both() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = alb_page::tests();
    for (id, _, names) in MATRIX.into_iter().filter(|(_, over, _)| *over == Both) {
        let mut text = String::new();
        for name in names {
            let function = name.rsplit("::").next().expect("a name");
            for file in &tests[function] {
                let source = fs::read_to_string(root.join(file)).expect("a source");
                let (_, rest) = source.split_once(&format!("fn {function}(")).expect("the test");
                text += rest.split("\n}\n").next().expect("its body");
            }
        }
        let names_both =
            text.contains("on_both(") || text.contains("opened(") || (text.contains("Http2") && text.contains("Raw::"));
        let is_by_file = names.len() > 1;
        assert!(names_both || is_by_file, "{id}: {names:?}");
    }
}
