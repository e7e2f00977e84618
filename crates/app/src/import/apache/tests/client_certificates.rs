//! Client certificates: no client comes in that Apache refuses.

use super::attacks::{host, open};
use super::*;

const ASKED: &str = "SSLVerifyClient require\nSSLCACertificateFile /etc/ca.pem\n";

#[track_caller]
fn with(inside: &str) -> Imported {
    import(&host(&format!("{ASKED}{inside}"))).unwrap_or_else(|error| panic!("{inside}: {error}"))
}

#[test]
fn a_chain_may_not_be_longer_than_in_apache() {
    for depth in ["4", "5", "10"] {
        let imported = with(&format!("SSLVerifyDepth {depth}\n"));
        assert_eq!(imported.closed, [""; 0], "{depth}");
        assert!(imported.yaml.contains("mode: verify"), "{depth}: {}", imported.yaml);
        let row = imported.rows.iter().find(|row| row.setting.ends_with("SSLVerifyDepth")).unwrap();
        assert!(row.fate.why().contains("four authorities"), "{row:?}");
    }
    // Without the directive, it is 1.
    for depth in [
        "",
        "SSLVerifyDepth 0\n",
        "SSLVerifyDepth 1\n",
        "SSLVerifyDepth 3\n",
        "SSLVerifyDepth ${DEPTH}\n",
        "SSLVerifyDepth -1\n",
    ] {
        let imported = with(depth);
        assert_eq!(open(&imported), [""; 0], "{depth}: {}", imported.yaml);
        assert!(!imported.closed.is_empty(), "{depth}");
    }
    // Nobody is asked for a certificate.
    assert_eq!(import(&host("SSLVerifyDepth 1\n")).unwrap().closed, [""; 0]);
}

#[test]
fn a_folder_of_lists_of_revoked_certificates_closes_its_host() {
    let lists = "SSLVerifyDepth 4\nSSLCARevocationCheck chain\nSSLCARevocationFile /etc/crl.pem\n";
    assert_eq!(with(lists).closed, [""; 0]);
    for more in [
        format!("{lists}SSLCARevocationPath /etc/crl/\n"),
        "SSLVerifyDepth 4\nSSLCARevocationPath /etc/crl/\n".to_owned(),
    ] {
        let imported = with(&more);
        assert_eq!(open(&imported), [""; 0], "{more}: {}", imported.yaml);
        assert!(imported.closed.iter().any(|why| why.contains("SSLCARevocationPath")), "{:?}", imported.closed);
    }
}
