//! Client certificates: `SSLVerifyClient`, and which of them are good.

use crate::import::apache::rules::Reader;
use crate::import::apache::scope::Host;
use crate::import::draft::{Need, name_like};
use crate::import::yaml::{Map, Yaml};

/// How many authorities may be above a certificate, the one in the trust store included (docs/ALB.md §10.8).
const DEPTH: u32 = 4;
/// `SSLVerifyDepth` where it is not set. It counts the same.
const DEPTH_OF_APACHE: u32 = 1;

/// `SSLVerifyClient`. In Vestibule, it is asked by the listener: hosts that differ are closed.
pub(super) fn client_certificates(hosts: &mut [&mut Host<'_>], settings: &mut Map, reader: &mut Reader<'_>) {
    let asks = |host: &Host<'_>| host.text("sslverifyclient").is_some_and(|word| word.eq_ignore_ascii_case("require"));
    let all = hosts.iter().all(|host| asks(host));
    let files = |host: &Host<'_>| {
        ["sslcacertificatefile", "sslcarevocationfile", "sslcarevocationcheck"]
            .map(|name| host.text(name).map(str::to_owned))
    };
    let first = hosts.first().map(|host| files(host)).unwrap_or_default();
    let is_one = hosts.iter().all(|host| files(host) == first);
    for host in hosts.iter_mut() {
        let Some(directive) = host.last("sslverifyclient") else { continue };
        if !asks(host) {
            reader.ledger.kept(&directive.path, "clients are not asked: who has no certificate comes in, as before");
        } else if let Some(why) = narrower(host) {
            reader.ledger.dropped(&directive.path, &why);
            host.close(why);
        } else if !all || !is_one || first[0].is_none() {
            let why = "client certificates are for a whole listener, with one SSLCACertificateFile: see mutual_authentication";
            reader.ledger.dropped(&directive.path, why);
            host.close(format!("{}: {why}", directive.path));
        } else {
            reader.ledger.kept(&directive.path, "mutual_authentication");
            if let Some(depth) = host.last("sslverifydepth") {
                reader.ledger.changed(&depth.path, "at most four authorities are above a certificate");
            }
        }
    }
    let ([Some(authorities), lists, check], true, true) = (first, all, is_one) else { return };
    let is_checked = check.as_deref().is_some_and(|check| !check.eq_ignore_ascii_case("none"));
    let lists: Vec<String> = lists.into_iter().filter(|_| is_checked).collect();
    let file = |name: &String| Yaml::File(name.clone());
    let mut store = Map::default().with("ca_files", Yaml::List(vec![file(&authorities)]));
    if !lists.is_empty() {
        store.set("crl_files", Yaml::List(lists.iter().map(file).collect()));
    }
    for list in &lists {
        reader.draft.needs(list, Need::Revoked { what: "that of SSLCARevocationFile".to_owned() });
    }
    if is_checked && lists.is_empty() {
        hosts.iter_mut().for_each(|host| host.close("revoked certificates are looked up in a folder".to_owned()));
    }
    let what = "those of SSLCACertificateFile".to_owned();
    reader.draft.needs(&authorities, Need::Authorities { lists, what });
    let name = name_like(authorities.rsplit('/').next().unwrap_or(&authorities).trim_end_matches(".pem"));
    reader.draft.trust_store(&name, store);
    settings.set("mutual_authentication", Map::default().with("mode", "verify").with("trust_store", name));
    for host in hosts.iter() {
        for name in ["sslcacertificatefile", "sslcarevocationfile", "sslcarevocationcheck"] {
            host.last(name).into_iter().for_each(|directive| reader.ledger.kept(&directive.path, "trust_stores"));
        }
    }
}

/// Why Apache refuses certificates that Vestibule would take.
fn narrower(host: &Host<'_>) -> Option<String> {
    if let Some(directive) = host.last("sslcarevocationpath") {
        return Some(format!("{}: a folder of lists of revoked certificates is not carried over", directive.path));
    }
    let depth = match host.last("sslverifydepth") {
        Some(directive) => directive.word(0).parse().unwrap_or_default(),
        None => DEPTH_OF_APACHE,
    };
    (depth < DEPTH).then(|| {
        format!(
            "SSLVerifyDepth is {depth}, and Vestibule takes certificates with up to {DEPTH} authorities above them: if those of \
             SSLCACertificateFile have made no other authorities, set SSLVerifyDepth {DEPTH} and import again"
        )
    })
}
