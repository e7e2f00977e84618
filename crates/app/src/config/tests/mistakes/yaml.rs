//! Text that is not YAML, or more of it than is taken.

use insta::assert_snapshot;

use super::{report, report_of};

#[test]
fn not_yaml() {
    assert_snapshot!(report("syntax", &[("    protocol: https", "    protocol: [https")]), @r#"
    error: this is not YAML: illegal placement of ':' indicator
     --> vestibule.yaml:5:17
      |
    5 |     certificates:
      |                 ^
    "#);
}

#[test]
fn tabs() {
    assert_snapshot!(report("tab", &[("  corp:\n    issuer", "\tcorp:\n    issuer")]), @r##"
    error: this is not YAML: tabs disallowed within this context (block indentation)
      --> vestibule.yaml:25:1
       |
    25 |     corp:
       | ^
       |
       = help: indent with spaces
    "##);
}

#[test]
fn an_unquoted_star() {
    assert_snapshot!(report("star", &[("[\"/api/*\"]", "\n              - *.example.com")]), @r#"
    error: this is not YAML: while parsing node, found unknown anchor
      --> vestibule.yaml:13:17
       |
    13 |               - *.example.com
       |                 ^
       |
       = help: a value that begins with `*` must be in quotes
    "#);
}

#[test]
fn empty() {
    assert_snapshot!(report_of("empty", "# nothing\n"), @r#"
    error: the file is empty
    --> vestibule.yaml
    "#);
}

#[test]
fn several_documents() {
    assert_snapshot!(report("documents", &[("identity_providers:", "---\nidentity_providers:")]), @r#"
    error: the file contains several documents (`---`)
      --> vestibule.yaml:24:1
       |
    24 | ---
       | ^^^
    "#);
}

#[test]
fn a_key_twice() {
    assert_snapshot!(report("twice", &[("    client_id: dashboard", "    client_id: dashboard\n    client_id: other")]), @r#"
    error: the key `client_id` is set twice
      --> vestibule.yaml:28:5
       |
    27 |     client_id: dashboard
       |     --------- first set here
    28 |     client_id: …
       |     ^^^^^^^^^
       |
       = at: identity_providers.corp.client_id
    "#);
}

#[test]
fn a_tag() {
    assert_snapshot!(report("tag", &[("client_id: dashboard", "client_id: !env CLIENT_ID")]), @r#"
    error: YAML tags (`!name`) are not supported
      --> vestibule.yaml:27:16
       |
    27 |     client_id: !env CLIENT_ID
       |                ^^^^^^^^^^^^^^
       |
       = help: put a value that begins with `!` in quotes
    "#);
}

#[test]
fn a_variable_that_is_not_set() {
    assert_snapshot!(report("unset", &[("client_secret_file: secret", "client_secret: ${OIDC_SECRET}")]), @r#"
    error: the environment variable `OIDC_SECRET` is not set
      --> vestibule.yaml:28:20
       |
    28 |     client_secret: ${OIDC_SECRET}
       |                    ^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.client_secret
       = help: set it, or write `$${` where `${` itself is meant
    "#);
}

#[test]
fn a_variable_in_another_shell() {
    assert_snapshot!(report("default", &[("client_id: dashboard", "client_id: ${ID:-x}")]), @r#"
    error: `${` is not followed by the name of an environment variable and `}`
      --> vestibule.yaml:27:16
       |
    27 |     client_id: ${ID:-x}
       |                ^^^^^^^^
       |
       = at: identity_providers.corp.client_id
       = help: write `${NAME}` with letters, digits and `_`, or `$${` where `${` itself is meant
    "#);
}

#[test]
fn a_comment_where_a_value_was_meant() {
    let said = report(
        "comment",
        &[("target_groups:", "pages:\n  title: a # b\n  colors: { accent: #0a6640 }\n\ntarget_groups:")],
    );
    assert_snapshot!(said, @r##"
    error: this is not YAML: invalid indentation
      --> vestibule.yaml:31:21
       |
    31 |   colors: { accent: #…
       |                     ^^
       |
       = help: `#` begins a comment: put a value that begins with `#` in quotes
    "##);
}

#[test]
fn a_tab_below_a_key() {
    assert_snapshot!(report("tab-below", &[("  corp:\n    issuer", "  corp:\n\t  issuer")]), @r##"
    error: this is not YAML: tabs disallowed within this context (block indentation)
      --> vestibule.yaml:26:1
       |
    26 |       issuer: https://login.example.com
       | ^
       |
       = help: indent with spaces
    "##);
}

/// Nothing else is said of the value, which is not there.
#[test]
fn a_variable_that_is_not_set_is_one_mistake() {
    let pool = "user_pools:\n  people: { issuer: \"https://login.example.com:8443\", signing_key_file: pool-key, users: [{ username: ada, password_hash: \"${HASH}\" }] }\nidentity_providers:";
    assert_snapshot!(report("unset-hash", &[("identity_providers:", pool)]), @r##"
    error: the environment variable `HASH` is not set
      --> vestibule.yaml:25:123
       |
    25 | ...key_file: pool-key, users: [{ username: ada, password_hash: "${HASH}" }] }
       |                                                                ^^^^^^^^^
       |
       = at: user_pools.people.users[0].password_hash
       = help: set it, or write `$${` where `${` itself is meant
    "##);
}
