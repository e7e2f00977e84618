//! Routes without a sign-in.

use super::*;

/// One upstream for all paths.
fn single(more: &str) -> Imported {
    let begin = FILE.find("upstreams = [").unwrap();
    let end = begin + FILE[begin..].find('\n').unwrap();
    let file = format!("{}upstreams = [\"http://127.0.0.1:3000/\"]{}", &FILE[..begin], &FILE[end..]);
    let file = file.lines().filter(|line| !line.starts_with("skip_auth")).collect::<Vec<_>>().join("\n");
    import(&[("a.cfg", &format!("{file}\n{more}\n"))], &[]).unwrap_or_else(|error| panic!("{more}: {error}"))
}

/// The conditions of each rule, in one line.
fn conditions(imported: &Imported) -> Vec<String> {
    let rules = imported.yaml.split("      - name: ").skip(1);
    let conditions = rules.filter_map(|rule| {
        let (name, rest) = rule.split_once('\n')?;
        let (conditions, _) = rest.split_once("conditions:")?.1.split_once("actions:")?;
        Some(format!("{name}: {}", conditions.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    conditions.collect()
}

fn why(imported: &Imported, option: &str) -> String {
    let row = imported.rows.iter().find(|row| row.setting == format!("a.cfg: {option}"));
    row.unwrap_or_else(|| panic!("{option}")).fate.why().to_owned()
}

#[test]
fn an_expression_is_carried_over_for_the_whole_path() {
    let routes = r#"["GET=^/v[0-9]+/status$", "/health", "^/(a|b)/", "post=^/hook", "=^/any$"]"#;
    let imported = single(&format!("skip_auth_routes = {routes}"));
    assert_eq!(imported.closed, [""; 0]);
    assert_eq!(
        conditions(&imported),
        [
            "open-1: - path_pattern: regex_values: [\"^/v[0-9]+/status$\"] - http_request_method: [GET]",
            "open-2: - path_pattern: regex_values: [\".*/health.*\"]",
            "open-3: - path_pattern: regex_values: [\"^/(a|b)/.*\"]",
            "open-4: - path_pattern: [\"/hook*\"] - http_request_method: [POST]",
            "open-5: - path_pattern: [/any]",
        ]
    );
    let open: Vec<_> = rules(&imported.yaml).into_iter().filter(|rule| !rule.is_shut()).collect();
    assert_eq!(open.len(), 5, "{open:?}");
    let why = why(&imported, "skip_auth_routes");
    assert_eq!(
        why,
        "rules without a sign-in; found anywhere in a path, as before: /health (write ^ in front if that is not meant); they take `;…` behind the last segment, too, which oauth2-proxy has as a part of the path (docs/MIGRATION.md)"
    );
}

#[test]
fn what_could_take_more_paths_than_before_needs_a_sign_in() {
    for (route, expected) in [
        ("^/a=b", "no method"),
        ("GET=^/a!=b", "read in two ways"),
        ("^/[a&&b]$", "means something else"),
        ("^/a{,3}$", "cannot be read"),
        ("^/[[ab]]$", "means something else"),
        ("^/(?!a)", "look-ahead"),
        ("POST!=/x", "only `!=^/path`"),
        ("POST!=^/x$", "only `!=^/path`"),
        ("POST!=^/x.", "only `!=^/path`"),
        ("POST!=^", "only `!=^/path`"),
    ] {
        let imported = single(&format!("skip_auth_routes = ['{route}']"));
        let open: Vec<_> = rules(&imported.yaml).into_iter().filter(|rule| !rule.is_shut()).collect();
        assert!(open.is_empty(), "{route}: {open:?}");
        let why = why(&imported, "skip_auth_routes");
        assert!(
            why.contains(expected) && why.contains("these need one: ") && why.contains(&format!("{route} (")),
            "{route}: {why}"
        );
    }
    // The older option has no methods: this is an expression that matches nothing.
    let imported = single("skip_auth_regex = ['GET=^/a']");
    assert_eq!(conditions(&imported), ["open-1: - path_pattern: regex_values: [\".*GET=^/a.*\"]"]);
}

/// With several upstreams, the rest of the paths of an expression could be those of another one.
#[test]
fn an_expression_has_one_upstream() {
    let several = |route: &str| {
        let file = FILE.replace(r#"["GET=^/health$", "^/public/", "POST!=^/x", "^/a|b"]"#, &format!("['{route}']"));
        assert_ne!(file, FILE);
        import(&[("a.cfg", &file)], &[]).unwrap_or_else(|error| panic!("{route}: {error}"))
    };
    for route in ["/x", "^/a[a-z]*/x$", "^/(api|x)/", "^/[a-z]+", "GET!=^/x"] {
        let imported = several(route);
        assert!(!imported.yaml.contains("name: open-"), "{route}: {}", imported.yaml);
        let why = why(&imported, "skip_auth_routes");
        assert!(why.contains("several upstreams have paths that it takes"), "{route}: {why}");
    }
    for (route, target) in [("^/api/v[0-9]$", "127.0.0.1-3001"), ("^/web/[0-9]$", "127.0.0.1-3000")] {
        let yaml = several(route).yaml;
        let rule = yaml.split("name: open-1").nth(1).unwrap_or_else(|| panic!("{route}: {yaml}"));
        let rule = rule.split("- name:").next().unwrap();
        assert!(rule.contains(target) && rule.contains("regex_values"), "{route}: {rule}");
    }
}

#[test]
fn all_paths_but_some_need_no_sign_in() {
    let imported =
        single("skip_auth_routes = ['GET!=^/api/', '!=^/admin', 'GET=^/api/open$']\nskip_auth_preflight = true");
    assert_eq!(imported.closed, [""; 0]);
    assert_eq!(
        conditions(&imported),
        [
            "open-1: - path_pattern: [/api/open] - http_request_method: [GET]",
            "preflight: - http_request_method: [OPTIONS]",
            "not-open-0: - path_pattern: [\"/api/*\"] - http_request_method: [GET]",
            "open-but-0: - http_request_method: [GET]",
            "not-open-2: - path_pattern: [\"/admin*\"]",
            "open-but-2: - source_ip: [0.0.0.0/0, ::/0]",
        ]
        .map(|line| line.replace("[0.0.0.0/0, ::/0]", "[\"0.0.0.0/0\", \"::/0\"]"))
    );
    let shut: Vec<_> = rules(&imported.yaml).into_iter().filter(Found::is_shut).map(|rule| rule.name).collect();
    assert_eq!(shut, ["not-open-0", "not-open-2", "default"]);
}

/// An upstream without a slash at its end has one path. The others are those of another upstream, which may be open to nobody.
#[test]
fn an_upstream_at_one_path_has_a_route_for_that_path_only() {
    let several = |more: &str| {
        let upstreams = r#"["http://127.0.0.1:3000/", "http://127.0.0.1:3001/api"]"#;
        let begin = FILE.find("upstreams = [").unwrap();
        let end = begin + FILE[begin..].find('\n').unwrap();
        let file = format!("{}upstreams = {upstreams}{}", &FILE[..begin], &FILE[end..]);
        let file = file.lines().filter(|line| !line.starts_with("skip_auth")).collect::<Vec<_>>().join("\n");
        import(&[("a.cfg", &format!("{file}\n{more}\n"))], &[]).unwrap_or_else(|error| panic!("{more}: {error}"))
    };
    for route in ["^/api", "^/api(/|$)", "^/ap", "^/api[x]+"] {
        let imported = several(&format!("skip_auth_routes = ['{route}']"));
        assert!(!imported.yaml.contains("name: open-"), "{route}: {}", imported.yaml);
        assert!(why(&imported, "skip_auth_routes").contains("several upstreams"), "{route}");
    }
    for (route, target) in [("^/api$", "3001"), ("^/api/", "3000"), ("^/a$", "3000")] {
        let yaml = several(&format!("skip_auth_routes = ['{route}']")).yaml;
        let rule = yaml.split("name: open-1").nth(1).unwrap_or_else(|| panic!("{route}: {yaml}"));
        let rule = rule.split("- name:").next().unwrap();
        assert!(rule.contains(&format!("127.0.0.1-{target}")), "{route}: {rule}");
    }
}

/// Otherwise the rule of another upstream would take them, and its application was never asked for these paths.
#[test]
fn clients_of_trusted_networks_do_not_come_to_another_upstream() {
    let begin = FILE.find("upstreams = [").unwrap();
    let end = begin + FILE[begin..].find('\n').unwrap();
    let upstreams = r#"["http://127.0.0.1:3000/", "ftp://127.0.0.1/x#/files/"]"#;
    let file = format!("{}upstreams = {upstreams}{}", &FILE[..begin], &FILE[end..]);
    let more = "trusted_ips = [\"192.0.2.0/24\"]\nreal_client_ip_header = \"X-Forwarded-For\"\n";
    let imported = import(&[("a.cfg", &format!("{file}\n{more}"))], &[]).unwrap();
    let trusted: Vec<(String, bool)> = rules(&imported.yaml)
        .into_iter()
        .filter(|rule| rule.name.starts_with("trusted-"))
        .map(|rule| (rule.name.clone(), rule.is_closed))
        .collect();
    assert_eq!(trusted, [("trusted-1".to_owned(), true), ("trusted-2".to_owned(), false)], "{}", imported.yaml);
    let of_files = conditions(&imported).into_iter().find(|line| line.starts_with("trusted-1")).unwrap();
    assert!(of_files.contains("[\"/files/*\"]"), "{of_files}");
}
