//! Which addresses a result listens on, and whose word it takes for the address of a client.

use super::attacks::open;
use super::*;

/// A host that redirects.
fn host(words: &str) -> String {
    format!("<VirtualHost {words}>\nServerName a.example.com\nRedirect / https://other.example.com/\n</VirtualHost>\n")
}

/// Names and addresses of the listeners.
fn listeners(imported: &Imported) -> Vec<String> {
    let text: Vec<&str> = imported.yaml.lines().map(str::trim).collect();
    let name = |at: usize| text[at - 1].trim_start_matches("- name: ");
    let lines = text.iter().enumerate().filter(|(_, line)| line.starts_with("address: "));
    lines.map(|(at, line)| format!("{} {}", name(at), line["address: ".len()..].trim_matches('"'))).collect()
}

#[test]
fn a_host_is_where_apache_listens() {
    for (listen, words, expected) in [
        ("Listen 127.0.0.1:8080\n", "*:8080", &["http-8080 127.0.0.1:8080"][..]),
        (
            "Listen 127.0.0.1:8080\nListen 10.0.0.1:8080\nListen 80\n",
            "_default_:8080",
            &["http-8080 10.0.0.1:8080", "http-8080-2 127.0.0.1:8080"],
        ),
        ("Listen [::1]:8080\n", "*:8080", &["http-8080 [::1]:8080"]),
        ("Listen 8080\n", "*:8080", &["http-8080 0.0.0.0:8080"]),
        ("Listen *:8080\n", "0.0.0.0:8080", &["http-8080 0.0.0.0:8080"]),
        ("Listen 0.0.0.0:8080\n", "*:8080", &["http-8080 0.0.0.0:8080"]),
        ("Listen 8080\n", "127.0.0.1:8080", &["http-8080 127.0.0.1:8080"]),
        ("Listen 127.0.0.1:8080\n", "127.0.0.1:8080", &["http-8080 127.0.0.1:8080"]),
        ("Listen 8080\n", "[::1]:8080", &["http-8080 [::1]:8080"]),
        ("Listen 127.0.0.1:80\nListen 10.0.0.1:81\n", "*", &["http-81 10.0.0.1:81", "http-80 127.0.0.1:80"]),
        // A file of one site. Where Apache listens is said in another.
        ("", "*:8080", &["http-8080 0.0.0.0:8080"]),
        ("", "*", &["http-80 0.0.0.0:80"]),
        // What is not known to be in force can only be one address more.
        ("Listen 127.0.0.1:8080\n<IfDefine MORE>\nListen 8080\n</IfDefine>\n", "*:8080", &["http-8080 127.0.0.1:8080"]),
    ] {
        let imported = import(&format!("{listen}{}", host(words))).unwrap_or_else(|error| panic!("{listen}: {error}"));
        assert_eq!(listeners(&imported), expected, "{listen}{words}");
        assert_eq!(imported.closed, [""; 0], "{listen}{words}");
    }
    // The server without hosts.
    let site = "Redirect / https://other.example.com/\n";
    let imported = import(&format!("Listen 10.0.0.1:80\nListen 127.0.0.1:80\n{site}")).unwrap();
    assert_eq!(listeners(&imported), ["http-80 10.0.0.1:80", "http-80-2 127.0.0.1:80"]);
}

#[test]
fn a_host_where_apache_does_not_listen_is_refused() {
    for (listen, words) in [
        ("Listen 80\n", "*:8080"),
        ("Listen 80\n", "*:80 *:8080"),
        ("<IfDefine PUBLIC>\nListen 127.0.0.1:8080\n</IfDefine>\n", "*:8080"),
        ("<IfDefine PUBLIC>\nListen 127.0.0.1:8080\n</IfDefine>\n", "*"),
        ("<IfVersion >= 2.4>\n<IfDefine PUBLIC>\nListen 80\n</IfDefine>\n</IfVersion>\n", "127.0.0.1:8080"),
        ("Listen 127.0.0.1:8080\n", "10.0.0.1:8080"),
        ("Listen 127.0.0.1:8080\n", "[::]:8080"),
        ("Listen 0.0.0.0:8080\n", "[::1]:8080"),
        ("Listen [::]:8080\n", "10.0.0.1:8080"),
    ] {
        let error = import(&format!("{listen}{}", host(words))).map(|imported| imported.yaml).unwrap_err();
        assert!(error.contains("no `Listen` is for"), "{listen}{words}: {error}");
    }
    // Apache does not ask the hosts for all addresses where one is for the address.
    let both = format!("Listen 127.0.0.1:8080\n{}{}", host("*:8080"), host("127.0.0.1:8080"));
    let error = import(&both).map(|imported| imported.yaml).unwrap_err();
    assert!(error.contains("one by one"), "{error}");
}

/// A host with TLS whose application is for the clients of a network.
fn internal(name: &str, inside: &str) -> String {
    format!(
        "<VirtualHost *:443>\nServerName {name}.example.com\nSSLEngine on\n{inside}ProxyPass / http://127.0.0.1:8080/\n</VirtualHost>\n"
    )
}

#[test]
fn a_proxy_that_only_one_host_trusts_says_no_address_of_a_client() {
    const REQUIRE: &str = "<Location />\nRequire ip 203.0.113.0/24\n</Location>\n";
    const TRUST: &str = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 192.0.2.1\n";
    let other = TRUST.replace("192.0.2.1", "192.0.2.2");
    let of = |first: &str, second: &str| {
        import(&format!("{}{}", internal("a", first), internal("b", second))).unwrap_or_else(|error| panic!("{error}"))
    };
    for (first, second) in [(TRUST, ""), ("", TRUST), (TRUST, &other)] {
        let imported = of(&format!("{first}{REQUIRE}"), &format!("{second}{REQUIRE}"));
        assert_eq!(open(&imported), [""; 0], "{first}{second}: {}", imported.yaml);
        assert!(imported.closed.iter().all(|why| why.contains("RemoteIP")), "{:?}", imported.closed);
        // Only a host that asks for networks is closed.
        let imported = of(&format!("{first}{REQUIRE}"), second);
        assert_eq!(open(&imported), ["b.example.com"], "{first}{second}: {}", imported.yaml);
        assert!(!imported.closed.is_empty());
    }
    let reordered = "RemoteIPHeader x-forwarded-for\nRemoteIPTrustedProxy 192.0.2.1/32\n";
    for (first, second) in [(TRUST, TRUST), (TRUST, reordered), ("", "")] {
        let imported = of(&format!("{first}{REQUIRE}"), &format!("{second}{REQUIRE}"));
        assert_eq!(imported.closed, [""; 0], "{first}{second}");
        assert_eq!(open(&imported).len(), 2, "{first}{second}: {}", imported.yaml);
    }
    // Those of a `<Proxy>` count, too.
    let proxy = "<Proxy *>\nRequire ip 203.0.113.0/24\n</Proxy>\n";
    assert_eq!(open(&of(&format!("{TRUST}{proxy}"), proxy)), [""; 0]);
}

/// A host with proxies of its own does not trust those that are named outside of it (`mod_remoteip`).
#[test]
fn proxies_of_a_host_take_the_place_of_those_outside() {
    let outside = "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 192.0.2.1\n";
    let imported = import(&format!("{outside}{}", internal("a", "RemoteIPTrustedProxy 198.51.100.7\n"))).unwrap();
    assert!(imported.yaml.contains("trusted_proxies: [\"198.51.100.7/32\"]"), "{}", imported.yaml);
    let imported = import(&format!("{outside}{}", internal("a", ""))).unwrap();
    assert!(imported.yaml.contains("trusted_proxies: [\"192.0.2.1/32\"]"), "{}", imported.yaml);
}

/// `mod_remoteip` takes a private address only from a `RemoteIPInternalProxy`.
#[test]
fn a_private_address_from_a_proxy_of_strangers_lets_nobody_in() {
    let of = |list: &str, network: &str| {
        let require = format!("<Location />\nRequire ip {network}\n</Location>\n");
        import(&internal("a", &format!("RemoteIPHeader X-Forwarded-For\n{list} 192.0.2.1\n{require}"))).unwrap()
    };
    let private = [
        "10.0.0.0/8",
        "10.1.2.3",
        "172.16",
        "192.168.7.0/24",
        "169.254.1.1",
        "127.0.0.1",
        "0.0.0.0/0",
        "8.0.0.0/5",
        "fd00::/8",
        "::1",
        "::/0",
    ];
    for network in private {
        let imported = of("RemoteIPTrustedProxy", network);
        assert_eq!(open(&imported), [""; 0], "{network}: {}", imported.yaml);
        assert!(imported.closed.iter().all(|why| why.contains("RemoteIPInternalProxy")), "{:?}", imported.closed);
        assert_eq!(of("RemoteIPInternalProxy", network).closed, [""; 0], "{network}");
    }
    for network in ["203.0.113.0/24", "11.0.0.0/8", "172.32.0.0/16", "128.0.0.0/8", "2001:db8::/32"] {
        let imported = of("RemoteIPTrustedProxy", network);
        assert_eq!((open(&imported).len(), imported.closed.len()), (1, 0), "{network}: {:?}", imported.closed);
    }
}
