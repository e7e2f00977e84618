//! What Apache reads in one way and we could read in another.

use super::attacks::{GATE, host, open};
use super::users::oidc;
use super::*;

fn imported(inside: &str) -> Imported {
    import(&host(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"))
}

fn row<'i>(imported: &'i Imported, setting: &str) -> &'i crate::import::ledger::Row {
    let found = imported.rows.iter().find(|row| row.setting.ends_with(setting));
    found.unwrap_or_else(|| panic!("{setting}: {}", imported.explanation()))
}

/// PCRE reads letters where the crate `regex` reads operators. Where the paths are not known, nothing below the plain part is open.
#[test]
fn an_expression_that_pcre_reads_in_another_way_closes_its_paths() {
    for (regex, begin) in [
        ("^/admin/[a-z&&b]", "/admin/"),
        ("^/admin/[!--a]", "/admin/"),
        ("^/admin/[a~~z]", "/admin/"),
        ("^/admin/[[a]x]", "/admin/"),
        (r"^/admin/\<[a-z]", "/admin/"),
        (r"^/admin/\b{start}", "/admin/"),
        ("^/admin/a++b", "/admin/a"),
        ("^/admin/a*+", "/admin/"),
        ("^/admin/a{,3}$", "/admin/"),
        (r"^/admin/\Qa.b\E", "/admin/"),
        (r"^/admin/\hb", "/admin/"),
        ("^/admin/(?>a)", "/admin/"),
        ("^/admin/(?x)a b", "/admin/"),
        ("^/admin/é", "/admin/"),
    ] {
        for inside in [
            format!("<LocationMatch \"{regex}\">\nRequire all denied\n</LocationMatch>\n"),
            format!("<Location ~ \"{regex}\">\nRequire all denied\n</Location>\n"),
            format!("ProxyPassMatch \"{regex}\" http://127.0.0.1:9000/\n"),
        ] {
            // Of several targets, the first counts.
            let text = host("").replace("ProxyPass /", &format!("{inside}ProxyPass /"));
            let imported = import(&text).unwrap_or_else(|error| panic!("{inside}: {error}"));
            let found = rules(&imported.yaml);
            assert!(found[0].is_closed, "{inside}: {found:?}");
            let pattern = format!("path_pattern: [\"{begin}*\"]");
            assert!(imported.yaml.contains(&pattern), "{inside}: {}", imported.yaml);
            assert_eq!(open(&imported), ["default"], "{inside}");
        }
    }
    // One that could be about any path closes all of them.
    for regex in ["[a&&b]", "(?!public)", "^/(?!public).*$", "^[/]a[b&&c]|^/x"] {
        let inside = format!("<LocationMatch \"{regex}\">\nRequire all denied\n</LocationMatch>\n");
        assert_eq!(open(&imported(&inside)), [""; 0], "{regex}");
    }
}

#[test]
fn a_module_that_is_not_loaded_may_be_missing() {
    let section = "<IfModule !mod_remoteip.c>\n<Location /admin>\nRequire all denied\n</Location>\n</IfModule>\n";
    let of = |before: &str, inside: &str| import(&format!("{before}{}", host(inside))).unwrap();
    for before in ["", "LoadModule proxy_module m.so\n", "<IfDefine A>\nLoadModule remoteip_module m.so\n</IfDefine>\n"]
    {
        assert_eq!(open(&of(before, section)), [""; 0], "{before}");
    }
    let loaded = "LoadModule remoteip_module m.so\n";
    assert_eq!(open(&of(loaded, section)), ["default"]);
    // It is the modules so far that count.
    let late = import(&format!("{}{loaded}", host(section))).unwrap();
    assert_eq!(open(&late), [""; 0]);
    // What lets in only if a module is there.
    let opened =
        format!("{GATE}<IfModule mod_deflate.c>\n<Location /a>\nRequire all granted\n</Location>\n</IfModule>\n");
    assert_eq!(open(&of("LoadModule proxy_module m.so\n", &opened)), [""; 0]);
    assert_eq!(open(&of("LoadModule deflate_module m.so\n", &opened)), ["a"]);
    // The usual way to load a module once.
    let once = "<IfModule !mod_alias.c>\nLoadModule alias_module m.so\n</IfModule>\n";
    assert_eq!(open(&of(once, "")), ["default"]);
}

#[test]
fn a_sign_in_is_not_weaker_than_before() {
    let request = "OIDCRequestObject '{\"payload\":{\"claims\":{\"id_token\":{\"acr\":{\"essential\":true,\"values\":[\"mfa\"]}}}}}'\n";
    let imported = imported(&format!("{request}{GATE}"));
    assert!(rules(&imported.yaml).iter().all(|rule| rule.is_closed), "{}", imported.yaml);
    assert!(imported.closed.iter().all(|why| why.contains("acr")), "{:?}", imported.closed);
}

#[test]
fn a_protection_that_is_gone_is_not_only_dropped() {
    for line in [
        "OIDCSessionInactivityTimeout 300",
        "OIDCProviderBackChannelLogoutSupported On",
        "OIDCProviderRevocationEndpoint https://login.example.com/r",
        "OIDCProviderCheckSessionIFrame https://login.example.com/i",
        "OIDCProviderVerifyCertFiles /k",
        "OIDCIDTokenSignedResponseAlg ES256",
        "OIDCUserInfoSignedResponseAlg ES256",
        "OIDCUserInfoRefreshInterval 60",
        "OIDCDPoPMode required",
        "OIDCProfile FAPI20",
    ] {
        let imported = imported(&format!("{line}\n{GATE}"));
        assert_eq!(imported.closed, [""; 0], "{line}");
        let name = line.split(' ').next().unwrap();
        let row = row(&imported, &format!(": {name}"));
        assert_eq!(row.fate.word(), "changed", "{row:?}");
    }
}

/// Apache removes every header with the prefix. Here each has to be listed, so the report says it in any case.
#[test]
fn the_report_says_that_headers_of_claims_are_listed() {
    let plain = mod_auth_openidc(
        &[input("site.conf", &host(&format!("{GATE}OIDCRemoteUserClaim employee\n")))],
        &[],
        &include(&oidc().lines().filter(|line| !line.starts_with("OIDCClaimPrefix")).collect::<Vec<_>>().join("\n")),
    )
    .unwrap();
    assert!(plain.yaml.contains("    oidc-claim-employee: "), "{}", plain.yaml);
    let found = row(&plain, ": AuthType");
    assert_eq!(found.fate.word(), "changed");
    assert!(found.fate.why().contains("`OIDC_CLAIM_`") && found.fate.why().contains("oidc-claim-other"), "{found:?}");
    // Those that are not passed on are removed, too.
    let more =
        "OIDCWhiteListedClaims sub\nOIDCBlackListedClaims secret\nRequestHeader set X-Shoe %{OIDC_CLAIM_shoe}e\n";
    let listed = imported(&format!("{GATE}{more}"));
    for name in ["email", "groups", "secret", "shoe"] {
        assert!(
            listed.yaml.contains(&format!("    oidc-claim-{name}: nobody-has-this-claim")),
            "{name}: {}",
            listed.yaml
        );
    }
    assert!(listed.yaml.contains("    oidc-claim-sub: sub"), "{}", listed.yaml);
}

/// `/open/abc;x` is another path for Apache.
#[test]
fn the_report_says_that_parameters_are_left_out() {
    let of = |section: &str, require: &str| {
        let kind = section.split(' ').next().unwrap();
        let imported = imported(&format!("{GATE}<{section}>\nRequire {require}\n</{kind}>\n"));
        let row = row(&imported, &format!(": {kind}")).clone();
        let mut rows = imported.rows.iter().filter(|row| row.setting.ends_with(&format!(": {kind}")));
        rows.next_back().cloned().unwrap_or(row).fate
    };
    for section in ["LocationMatch \"^/open/[a-z]+$\"", "LocationMatch ^/open$", "Location /open"] {
        let fate = of(section, "all granted");
        assert!(fate.word() == "changed" && fate.why().contains("`;…`"), "{section}: {fate:?}");
    }
    for (section, require) in [
        ("Location /open/", "all granted"),
        ("LocationMatch ^/open", "all granted"),
        ("LocationMatch ^/open$", "valid-user"),
        ("LocationMatch ^/open$", "all denied"),
    ] {
        let fate = of(section, require);
        assert_eq!(fate.word(), "kept", "{section} {require}: {fate:?}");
    }
}

/// Apache compares names letter by letter.
#[test]
fn a_user_with_other_letters_does_not_come_in() {
    let gate = |require: &str| {
        let inside =
            format!("OIDCRemoteUserClaim email\n<Location />\nAuthType openid-connect\n{require}\n</Location>\n");
        from(&imported(&inside), "type: authorize")
    };
    let lets_in = gate("Require user bob@example.com");
    assert!(
        lets_in.starts_with(
            "type: authorize all: - claim: email address: [bob@example.com] - claim: email contains: [bob@example.com] - type"
        ),
        "{lets_in}"
    );
    let denies = gate("<RequireAll>\nRequire valid-user\nRequire not user bob@example.com\n</RequireAll>");
    assert!(denies.contains("not: claim: email address: [bob@example.com] - type"), "{denies}");
}
