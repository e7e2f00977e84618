//! `static`.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use super::{SOUND, files, load_in, report, warnings};
use crate::action::settings::TerminalSettings;

/// The terminal of the rule `api`, which is behind a sign-in.
const TO: &str = "          - type: forward\n            target_group: app\n    default";

fn with(settings: &str) -> String {
    format!("          - {{ type: static, {settings} }}\n    default")
}

#[track_caller]
fn files_of(name: &str, settings: &str) -> String {
    report(name, &[(TO, &with(settings))])
}

#[test]
fn a_directory_that_cannot_be_served() {
    assert_snapshot!(files_of("missing-directory", "directory: nowhere"), @r#"
    error: the directory `DIR/nowhere` cannot be read: No such file or directory (os error 2)
      --> vestibule.yaml:17:40
       |
    17 |           - { type: static, directory: nowhere }
       |                                        ^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].directory
    "#);
    assert_snapshot!(files_of("no-directory", "directory: site/index.html"), @r#"
    error: the directory `DIR/site/index.html` cannot be read: Not a directory (os error 20)
      --> vestibule.yaml:17:40
       |
    17 |           - { type: static, directory: site/index.html }
       |                                        ^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].directory
       = help: name a directory; for one answer without a directory, use `fixed-response`
    "#);
    assert_snapshot!(files_of("empty-directory", "directory: ''"), @r#"
    error: the path is empty
      --> vestibule.yaml:17:40
       |
    17 |           - { type: static, directory: '' }
       |                                        ^^
       |
       = at: listeners[0].rules[0].actions[1].directory
       = help: write `site` or `/srv/site`
    "#);
}

#[test]
fn p_22_a_directory_with_the_keys_of_this_configuration() {
    assert_snapshot!(files_of("own-directory", "directory: ."), @r#"
    error: `DIR/session-key` is in this directory and would be served
      --> vestibule.yaml:17:40
       |
    17 |           - { type: static, directory: . }
       |                                        ^
       |
       = at: listeners[0].rules[0].actions[1].directory
       = help: put the files of the site into a directory of their own

    warning: this issuer is a placeholder
      --> vestibule.yaml:25:13
       |
    25 |     issuer: https://login.example.com
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.issuer
       = help: write the issuer of your provider
    "#);
    let message = files_of("own-directory-by-another-way", "directory: site/..");
    assert!(message.contains("is in this directory and would be served"), "{message}");
}

#[test]
fn names_that_no_request_can_have() {
    assert_snapshot!(
        files_of(
            "names",
            "directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, \
             content_types: { .Wat: text/plain, x: text }, cache_control: \"a\\nb\""
        ),
        @r#"
    error: `a/b` is not the name of a file that is served
      --> vestibule.yaml:17:54
       |
    17 | ...   - { type: static, directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, content...
       |                                                  ^^^
       |
       = at: listeners[0].rules[0].actions[1].index[0]
       = help: write a name without a slash: `index.html`

    error: `../x` is not the name of a file that is served
      --> vestibule.yaml:17:59
       |
    17 | ...   - { type: static, directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, content...
       |                                                       ^^^^
       |
       = at: listeners[0].rules[0].actions[1].index[1]
       = help: write a name without a slash: `index.html`

    error: `.hidden` is not the name of a file that is served
      --> vestibule.yaml:17:65
       |
    17 | ...   - { type: static, directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, content...
       |                                                             ^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].index[2]
       = help: write a name without a slash: `index.html`

    error: `../secret` is not the name of a file that is served
      --> vestibule.yaml:17:85
       |
    17 | ...   - { type: static, directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, content...
       |                                                                                 ^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].fallback
       = help: write a file below the directory: `/index.html`

    error: `` is not the name of a file that is served
      --> vestibule.yaml:17:107
       |
    17 | ...   - { type: static, directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, content...
       |                                                                                                       ^^
       |
       = at: listeners[0].rules[0].actions[1].not_found
       = help: write a file below the directory: `/index.html`

    error: `docs` is not the beginning of a path
      --> vestibule.yaml:17:124
       |
    17 | ...   - { type: static, directory: site, index: [a/b, ../x, .hidden], fallback: ../secret, not_found: '', path_prefix: docs, content...
       |                                                                                                                        ^^^^
       |
       = at: listeners[0].rules[0].actions[1].path_prefix
       = help: write it as in `path_pattern`, not encoded: `/docs`

    error: `.Wat` is not an extension
      --> vestibule.yaml:17:147
       |
    17 | ...../secret, not_found: '', path_prefix: docs, content_types: { .Wat: text/plain, x: text }, cache_control: "a\nb" }
       |                                                                  ^^^^
       |
       = at: listeners[0].rules[0].actions[1].content_types.".Wat"
       = help: write it in lower case and without its dot: `wat`

    error: `text` is not a media type
      --> vestibule.yaml:17:168
       |
    17 | ... '', path_prefix: docs, content_types: { .Wat: text/plain, x: text }, cache_control: "a\nb" }
       |                                                                  ^^^^
       |
       = at: listeners[0].rules[0].actions[1].content_types.x
       = help: write `text/plain`, or `text/plain; charset=utf-8`

    error: this is not a value of `Cache-Control`
      --> vestibule.yaml:17:191
       |
    17 | ...content_types: { .Wat: text/plain, x: text }, cache_control: "a\nb" }
       |                                                                 ^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].cache_control
       = help: write `max-age=3600`
    "#
    );
    for prefix in ["docs", "/", "/a//b", "/a%20b", "/a/../b", "/a?b", "/a;b", "/a#b", "//evil"] {
        let message = files_of("prefix", &format!("directory: site, path_prefix: '{prefix}'"));
        assert!(message.contains("is not the beginning of a path"), "{prefix}: {message}");
    }
}

#[test]
fn b_6_files_behind_a_sign_in_are_not_for_shared_caches() {
    assert_snapshot!(files_of("shared", "directory: site, cache_control: 'public, max-age=60'"), @r#"
    error: this lets shared caches keep files that not everybody may see, and give them to everybody
      --> vestibule.yaml:17:61
       |
    17 |           - { type: static, directory: site, cache_control: 'public, max-age=60' }
       |                                                             ^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].cache_control
       = help: leave out `public` and `s-maxage`, or serve public files by a rule without a sign-in
    "#);
    let cache_control = |settings: &str, is_guarded: bool| {
        let files = files("cache-control");
        let mut text = SOUND.replacen(TO, &with(settings), 1);
        if !is_guarded {
            let gate = "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n";
            assert!(text.contains(gate));
            text = text.replacen(gate, "", 1);
        }
        let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
        match &config.listeners[0].rules[0].chain.terminal {
            TerminalSettings::Static(settings) => settings.cache_control.to_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cache_control("directory: site", true), "private, no-cache");
    assert_eq!(cache_control("directory: site", false), "no-cache");
    assert_eq!(cache_control("directory: site, cache_control: 'max-age=60'", true), "private, max-age=60");
    assert_eq!(cache_control("directory: site, cache_control: no-store", true), "no-store");
    assert_eq!(cache_control("directory: site, cache_control: 'public, max-age=60'", false), "public, max-age=60");
}

#[test]
fn what_is_probably_not_meant() {
    assert_snapshot!(
        warnings("pages-missing", &[(TO, &with("directory: site, fallback: app.html, not_found: /404.html"))]),
        @r#"
    warning: there is no file `DIR/site/app.html` now
      --> vestibule.yaml:17:56
       |
    17 |           - { type: static, directory: site, fallback: app.html, not_found: /404.html }
       |                                                        ^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].fallback
       = help: requests that need it are answered 404 until there is
    "#
    );
    let files = files("writable");
    std::fs::set_permissions(files.join("site"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let config = load_in(&files, &SOUND.replacen(TO, &with("directory: site"), 1)).unwrap();
    let warnings = config.warnings.to_string();
    assert!(warnings.contains("every user of this machine can write to"), "{warnings}");
}
