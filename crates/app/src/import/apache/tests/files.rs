//! Files of `DocumentRoot`. Nothing is served that Apache protects, and no text of a program.

use super::attacks::GATE;
use super::{from, include, input};
use crate::import::tests::rules;
use crate::import::{Imported, mod_auth_openidc};

const OIDC: &str = super::OIDC;

/// The first file of a server whose files are in `/srv/www`.
const SERVER: &str = "\
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule cgid_module modules/mod_cgid.so
AddType application/x-compress .Z
AddHandler type-map var
AddOutputFilter INCLUDES .shtml
<IfModule mod_cgi.c>
Define CGI
</IfModule>
<IfDefine CGI>
ScriptAlias /cgi-bin/ /usr/lib/cgi-bin/
<Directory /usr/lib/cgi-bin>
AllowOverride None
Options +ExecCGI -MultiViews +SymLinksIfOwnerMatch
Require all granted
</Directory>
</IfDefine>
<Directory />
Options FollowSymLinks
AllowOverride None
Require all denied
</Directory>
<Directory /usr/share>
AllowOverride All
Require all granted
</Directory>
<Directory /srv/www/>
Options Indexes FollowSymLinks
AllowOverride None
Require all granted
</Directory>
<FilesMatch \"^\\.ht\">
Require all denied
</FilesMatch>
AccessFileName .htaccess
<IfModule mod_include.c>
AddOutputFilter INCLUDES .shtml
</IfModule>
";

fn site(server: &str, inside: &str) -> String {
    format!(
        "{server}<VirtualHost *:443>\nServerName app.example.com\nSSLEngine on\nInclude oidc.conf\nOIDCRedirectURI /cb\nDocumentRoot \"/srv/www/site\"\n{inside}</VirtualHost>\n"
    )
}

fn import_all(text: &str) -> Imported {
    mod_auth_openidc(&[input("httpd.conf", text)], &[], &include(OIDC))
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn import(inside: &str) -> Imported {
    import_all(&site(SERVER, inside))
}

/// The rules that serve files, and whether nobody comes through without signing in.
fn serving(imported: &Imported) -> Vec<(String, bool)> {
    let all = rules(&imported.yaml).into_iter();
    all.filter(|rule| rule.actions.iter().any(|kind| kind == "static"))
        .map(|rule| (rule.name.clone(), rule.is_shut()))
        .collect()
}

#[track_caller]
fn serves(inside: &str, expected: &[(&str, bool)]) -> Imported {
    let imported = import(inside);
    let expected: Vec<(String, bool)> = expected.iter().map(|(name, is_shut)| ((*name).to_owned(), *is_shut)).collect();
    assert_eq!(serving(&imported), expected, "{inside}\n{}\n{:?}", imported.yaml, imported.closed);
    imported
}

/// No file is served anywhere, and the result says why.
#[track_caller]
fn serves_nothing(text: &str, expected: &str) {
    let imported = import_all(text);
    assert_eq!(serving(&imported), [], "{text}\n{}", imported.yaml);
    assert!(imported.closed.iter().any(|why| why.contains(expected)), "{expected}: {:?}", imported.closed);
    assert!(rules(&imported.yaml).iter().any(|rule| rule.name == "default" && rule.is_closed), "{}", imported.yaml);
}

#[test]
fn files_behind_a_sign_in_are_served() {
    let imported = serves(GATE, &[("default", true)]);
    let gate = from(&imported, "default_actions:");
    assert!(gate.contains("- type: authenticate-oidc provider: login.example.com"), "{gate}");
    assert!(
        gate.contains("- type: static directory: /srv/www/site content_types: z: application/x-compress"),
        "{gate}"
    );
    assert!(imported.explanation().contains("/srv/www/site: the directory with the files that are served"));
    assert_eq!(imported.closed.len(), 1, "{:?}", imported.closed);
    assert!(imported.closed[0].contains("cgi-bin"), "{:?}", imported.closed);
    let row =
        |end: &str| imported.rows.iter().find(|row| row.setting.ends_with(end)).unwrap_or_else(|| panic!("{end}"));
    assert_eq!(row("DocumentRoot").fate.word(), "changed");
    assert_eq!(row("line 28: AllowOverride").fate.why(), "no file .htaccess is read");
    assert!(row("line 10: ScriptAlias").fate.why().contains("not known whether"));
    // A part is public, another for a group, and a third has a target.
    let inside = format!(
        "{GATE}ProxyPass /app/images !\nProxyPass /app http://127.0.0.1:8080/app\n<Location /open>\nRequire all granted\n</Location>\n<Location /board>\nRequire claim groups:board\n</Location>\n"
    );
    let imported = serves(&inside, &[("app-images", true), ("board", true), ("open", false), ("default", true)]);
    assert!(
        from(&imported, "- name: board").contains("claim: groups contains: [board] - type: static"),
        "{}",
        imported.yaml
    );
    assert!(from(&imported, "- name: app ").contains("- type: forward"), "{}", imported.yaml);
}

#[test]
fn a_directory_says_who_may_read_its_files() {
    let private =
        "<Directory /srv/www/site/private>\nAuthType openid-connect\nRequire claim groups:staff\n</Directory>\n";
    let imported = serves(private, &[("private", true), ("default", false)]);
    let rule = from(&imported, "- name: private");
    assert!(
        rule.contains("path_pattern: [/private, \"/private/*\"]") && rule.contains("contains: [staff] - type: static"),
        "{rule}"
    );
    // A `<Location>` counts more than each `<Directory>`, and of these the one of fewer files.
    serves(&format!("{GATE}{private}"), &[("private", true), ("default", true)]);
    let both = import(&format!("{GATE}{private}"));
    assert!(!both.yaml.contains("contains: [staff]"), "{}", both.yaml);
    let denied = "<Directory /srv/www/site/private/deep>\nRequire all denied\n</Directory>\n";
    let imported = serves(&format!("{denied}{private}"), &[("private", true), ("default", false)]);
    assert!(
        from(&imported, "- name: private-deep").contains("actions: - type: fixed-response status_code: 403"),
        "{}",
        imported.yaml
    );
    // Paths with a target are in no directory.
    let proxied = import(&format!("{private}ProxyPass / http://127.0.0.1:8080/\n"));
    assert_eq!((serving(&proxied).len(), rules(&proxied.yaml).len()), (0, 2), "{}", proxied.yaml);
    // Nothing says who may read them.
    let silent = SERVER.replace("Require all", "# Require all");
    serves_nothing(&site(&silent, ""), "no Require says who may read the files");
    let denied = SERVER.replace(
        "AllowOverride None\nRequire all granted\n</Directory>\n<FilesMatch",
        "AllowOverride None\n</Directory>\n<FilesMatch",
    );
    let imported = import_all(&site(&denied, ""));
    assert_eq!(
        (serving(&imported).len(), rules(&imported.yaml).last().unwrap().actions[0].as_str()),
        (0, "fixed-response")
    );
}

#[test]
fn what_may_run_programs_serves_no_file() {
    for line in [
        "AddHandler cgi-script .cgi",
        "AddHandler application/x-httpd-php .php",
        "AddHandler server-parsed .shtml",
        "AddHandler ${HANDLER} .x",
        "AddType application/x-httpd-php .php",
        "AddType text/x-server-parsed-html .html",
        "AddType application/x-httpd-cgi .cgi",
        "Options +ExecCGI",
        "Options FollowSymLinks Includes",
        "Options IncludesNOEXEC FollowSymLinks",
        "Options All",
        "Options ${OPTIONS}",
        "XBitHack full",
        "AddOutputFilter PHP .php",
        "AddOutputFilter INCLUDES;MYFILTER .html",
        "SetOutputFilter MYFILTER",
        "LoadModule php_module modules/libphp.so",
        "LoadModule php7_module modules/libphp7.so",
        "LoadModule perl_module modules/mod_perl.so",
        "LoadModule passenger_module modules/mod_passenger.so",
        "<IfModule mod_php.c>\nLoadModule php_module modules/libphp.so\n</IfModule>",
        "<FilesMatch \".+\\.ph(?:ar|p|tml)$\">\nSetHandler application/x-httpd-php\n</FilesMatch>",
        "<FilesMatch \"\\.php$\">\nSetHandler \"proxy:unix:/run/php.sock|fcgi://localhost\"\n</FilesMatch>",
        "<IfModule mod_php.c>\n<FilesMatch \"\\.php$\">\nSetHandler application/x-httpd-php\n</FilesMatch>\n</IfModule>",
        "<IfModule mod_actions.c>\nOptions +ExecCGI\n</IfModule>",
        "<IfModule mod_mine.c>\nAddOutputFilter MYFILTER .html\n</IfModule>",
        "<IfModule mod_mine.c>\nAddHandler cgi-script .cgi\n</IfModule>",
        "<Directory /srv/www/site/cgi>\nOptions +ExecCGI\n</Directory>",
        "<Directory /srv>\nAddHandler cgi-script .pl\n</Directory>",
        "<Location /x>\nOptions +Includes\n</Location>",
        "<Location /x>\nAddHandler cgi-script .pl\n</Location>",
        "<Location /x>\n<IfModule mod_mine.c>\nOptions +ExecCGI\n</IfModule>\n</Location>",
        "<Directory /srv/www/site/x>\n<IfModule mod_mine.c>\nAddHandler cgi-script .pl\n</IfModule>\n</Directory>",
        "ScriptAlias /cgi/ /srv/www/site/scripts/",
        "ScriptAlias /cgi/ /srv/www/",
        "ScriptAliasMatch ^/cgi/(.*) /srv/www/site/$1",
        "<IfDefine MORE>\nScriptAlias /cgi/ /srv/www/site/scripts/\n</IfDefine>",
        "ProxyPassMatch ^/(.*\\.php)$ fcgi://127.0.0.1:9000/srv/www/site/$1",
    ] {
        for text in [site(SERVER, &format!("{GATE}{line}\n")), site(&format!("{SERVER}{line}\n"), GATE)] {
            let imported = import_all(&text);
            assert_eq!(serving(&imported), [], "{line}\n{}", imported.yaml);
            assert!(imported.closed.len() > 1, "{line}");
        }
    }
    for line in ["SetHandler cgi-script", "Action x /cgi-bin/x", "php_admin_flag engine off", "ForceType text/plain"] {
        let inside = format!("{GATE}<Directory /srv/www/site/x>\n{line}\n</Directory>\n");
        let imported = import(&inside);
        assert!(serving(&imported).iter().all(|(name, _)| name != "x"), "{line}: {}", imported.yaml);
        assert!(imported.closed.len() > 1, "{line}");
    }
    // The rest of the configuration may have any of these.
    let part = "<Directory /srv/www>\nOptions FollowSymLinks\nAllowOverride None\nRequire all granted\n</Directory>\n";
    serves_nothing(&site(part, GATE), "which programs the server runs");
    serves_nothing(&site(&SERVER.replace("mpm_event", "auth_openidc"), GATE), "which programs the server runs");
}

#[test]
fn what_may_protect_files_serves_none_of_them() {
    for line in [
        "<Files secret.txt>\nRequire all denied\n</Files>",
        "<FilesMatch \"\\.(sql|bak)$\">\nRequire all denied\n</FilesMatch>",
        "<FilesMatch \"^\\.ht|secret\">\nRequire all denied\n</FilesMatch>",
        "<FilesMatch \"^\\.(ht|w)\">\nRequire all denied\n</FilesMatch>",
        "<FilesMatch \"^\\.(ht)|x\">\nRequire all denied\n</FilesMatch>",
        "<Files ~ \"secret\">\nRequire all denied\n</Files>",
        "<DirectoryMatch \"/private\">\nRequire all denied\n</DirectoryMatch>",
        "<DirectoryMatch \"/\\.\">\nRequire all denied\n</DirectoryMatch>",
        "<Directory ~ \"/private\">\nRequire all denied\n</Directory>",
        "<Directory /srv/*/private>\nRequire all denied\n</Directory>",
        "<Directory /srv/www/../www>\nRequire all denied\n</Directory>",
        "<Directory ${WHERE}>\nRequire all denied\n</Directory>",
        "<Directory srv/www>\nRequire all denied\n</Directory>",
        "<IfVersion >= 2.4>\n<Directory /srv/www/site/private>\nRequire all denied\n</Directory>\n</IfVersion>",
        "<IfDefine PRODUCTION>\n<Files secret.txt>\nRequire all denied\n</Files>\n</IfDefine>",
        "<IfDefine PRODUCTION>\nDocumentRoot /srv/www/other\n</IfDefine>",
        "<Directory /srv/www/site>\nAllowOverride All\n</Directory>",
        "<Directory /srv>\nAllowOverride AuthConfig\n</Directory>",
        "<Directory /srv/www/site/x>\nAllowOverride None FileInfo\n</Directory>",
        "<Directory /srv/www/site/x>\nAllowOverrideList Require\n</Directory>",
        "AccessFileName .access",
        "AccessFileName .htaccess .access",
        "Options None",
        "Options -FollowSymLinks",
        "Options Indexes SymLinksIfOwnerMatch",
        "<Directory /srv/www/site/x>\nOptions Indexes\n</Directory>",
        "DocumentRoot ${ROOT}",
        "DocumentRoot htdocs",
        "DocumentRoot /srv/*/site",
        "DocumentRoot /",
    ] {
        // A path that is not known may be that of a section which counts more.
        let imported = import(&format!("{GATE}{line}\n"));
        assert_eq!(serving(&imported), [], "{line}\n{}", imported.yaml);
        assert!(imported.closed.len() > 1, "{line}");
    }
    let silent = SERVER.replace("AllowOverride None\n", "");
    serves_nothing(&site(&silent, GATE), "AllowOverride None");
    let none = site(SERVER, GATE).replace("DocumentRoot", "# DocumentRoot");
    serves_nothing(&none, "there is no DocumentRoot");
    // Within a directory, only what is below it is closed.
    for line in [
        "<Files secret.txt>\nRequire all denied\n</Files>",
        "<Limit POST>\nRequire all denied\n</Limit>",
        "AGateOfTomorrow on",
        "Satisfy Any",
        "SecRule REMOTE_ADDR \"@ipMatch 10.0.0.0/8\" \"id:1,deny\"",
        "SecRuleEngine On",
        "Redirect 403 /x",
        "RedirectMatch 403 .*",
        "RewriteRule .* - [F]",
        "Order deny,allow\nDeny from all",
        "<If true>\nRequire all denied\n</If>",
    ] {
        let imported = import(&format!("{GATE}<Directory /srv/www/site/x>\n{line}\n</Directory>\n"));
        assert_eq!(serving(&imported), [("default".to_owned(), true)], "{line}\n{}", imported.yaml);
        assert!(
            rules(&imported.yaml).iter().any(|rule| rule.name == "x" && rule.is_closed),
            "{line}\n{}",
            imported.yaml
        );
    }
    // Names that are never served.
    for line in [
        "<Files \".ht*\">\nRequire all denied\n</Files>",
        "<Files ~ \"^\\.ht\">\nRequire all denied\n</Files>",
        "<DirectoryMatch \"/\\.(git|svn)\">\nRequire all denied\n</DirectoryMatch>",
        "<DirectoryMatch \"/\\.git\">\nRequire all denied\n</DirectoryMatch>",
        "<IfVersion >= 2.4>\n<Files \".ht*\">\nRequire all denied\n</Files>\n</IfVersion>",
    ] {
        serves(&format!("{GATE}{line}\n"), &[("default", true)]);
    }
}

/// Apache asks for the page of a directory as for any other path.
#[test]
fn a_page_of_a_directory_is_not_served_past_its_own_rule() {
    let claim = "Require claim groups:paid";
    for section in [
        format!("<Location /index.html>\n{claim}\n</Location>"),
        format!("<Location /docs/index.html>\n{claim}\n</Location>"),
        format!("<LocationMatch \"^/docs/in\">\n{claim}\n</LocationMatch>"),
        format!("<LocationMatch \"^/docs/index\\.html$\">\n{claim}\n</LocationMatch>"),
        format!("<LocationMatch \"\\.html$\">\n{claim}\n</LocationMatch>"),
        format!("<Location /docs/start.htm>\n{claim}\n</Location>\nDirectoryIndex start.htm index.html"),
        "Redirect /docs/index.html https://other.example.com/".to_owned(),
        "ProxyPass /docs/index.html http://127.0.0.1:8080/".to_owned(),
    ] {
        let imported = import(&format!("{GATE}{section}\n"));
        let default = rules(&imported.yaml).pop().unwrap();
        assert!(default.is_closed, "{section}\n{}", imported.yaml);
        assert!(imported.closed.iter().any(|why| why.contains("DirectoryIndex")), "{section}: {:?}", imported.closed);
    }
    // Elsewhere, nothing changes.
    let imported = import(&format!(
        "{GATE}<Location /docs>\n{claim}\n</Location>\n<Location /docs/index.html>\nRequire all denied\n</Location>\n<Location /img>\n{claim}\n</Location>\n"
    ));
    assert_eq!(serving(&imported), [("img".to_owned(), true)], "{}", imported.yaml);
    // Its page is another one, or it has none.
    for (directive, expected) in [
        ("DirectoryIndex index.php start.html index.cgi", "index: [start.html]"),
        ("DirectoryIndex disabled", "index: []"),
        ("DirectoryIndex /cgi-bin/index.html", "index: []"),
        ("DirectoryIndex a.html\nDirectoryIndex b.html", "index: [a.html, b.html]"),
    ] {
        let imported = import(&format!("{GATE}{directive}\n<Location /docs/index.html>\n{claim}\n</Location>\n"));
        let default = from(&imported, "default_actions:");
        assert!(default.contains(&format!("directory: /srv/www/site {expected}")), "{directive}: {default}");
    }
}
