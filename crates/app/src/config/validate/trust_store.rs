//! `trust_stores`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::certificate::client::trust_store::{Authority, Revoked, TrustStore, WithoutList};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::mutual_authentication::{self as written, WithoutCrl};
use crate::config::validate::context::Context;
use crate::config::validate::mutual_authentication::TrustStores;
use crate::config::validate::{keys, value};

/// Maximum size of a file with lists of revoked certificates (ALB §10.8).
const CRL_BYTES_MAX: u64 = 50 * 1024 * 1024;

/// Reads the trust stores of the file.
pub(super) fn trust_stores(
    raw: &BTreeMap<String, written::TrustStore>,
    at: &Path,
    context: &mut Context<'_>,
) -> TrustStores {
    let read = |(name, raw): (&String, &written::TrustStore)| {
        let at = at.key(name);
        value::name(name, &at, &mut context.found);
        (name.clone(), trust_store(name, raw, &at, context).map(Arc::new))
    };
    raw.iter().map(read).collect()
}

fn trust_store(
    name: &str,
    raw: &written::TrustStore,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<TrustStore, Reported> {
    let files_at = at.key("ca_files");
    if raw.ca_files.is_empty() {
        let problem = context.found.problem(&files_at, "expected at least one file");
        return problem
            .hint("PEM files with the certificates of the authorities that issue the certificates of clients")
            .fail();
    }
    let files = context.each_item(&raw.ca_files, &files_at, |file, at, context| authorities(file, at, context));
    let authorities: Vec<Authority> = files?.into_iter().flatten().collect();
    let lists_at = at.key("crl_files");
    let files =
        context.each_item(&raw.crl_files, &lists_at, |file, at, context| lists(file, at, &authorities, context));
    let lists: Vec<(Path, Revoked)> = files?.into_iter().flatten().collect();
    one_for_each(&lists, context)?;
    let without_list = match raw.certificates_without_crl {
        WithoutCrl::Refuse => WithoutList::Refuse,
        WithoutCrl::Accept => WithoutList::Accept,
    };
    let lists: Vec<Revoked> = lists.into_iter().map(|(_, list)| list).collect();
    if without_list == WithoutList::Refuse && !lists.is_empty() {
        for authority in authorities.iter().filter(|authority| !lists.iter().any(|list| list.is_of(authority))) {
            let message =
                format!("there is no list of `{}`: every client with a certificate of it is refused", authority.name);
            let warning = context.found.warning(&lists_at, message);
            warning.hint("add its list, or set `certificates_without_crl: accept`");
        }
    }
    Ok(TrustStore::new(name, authorities, lists, without_list))
}

/// The authorities in a PEM file.
fn authorities(file: &str, at: &Path, context: &mut Context<'_>) -> Result<Vec<Authority>, Reported> {
    let bytes = keys::bytes(file, at, context)?;
    let shown = context.source.resolve_secret(file).display().to_string();
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let Some(certificates) = certificates.ok().filter(|all| !all.is_empty()) else {
        let problem = context.found.problem(at, format!("the file `{shown}` contains no certificates in PEM format"));
        return problem.hint("if it is in DER format: `openssl x509 -inform der -in FILE -out FILE.pem`").fail();
    };
    let which = |place: usize| match certificates.len() {
        1 => "the certificate".to_owned(),
        count => format!("certificate {} of {count}", place + 1),
    };
    let mut authorities = Vec::new();
    let mut result = Ok(());
    for (place, certificate) in certificates.iter().enumerate() {
        match Authority::read(certificate) {
            Ok(authority) => authorities.push(authority),
            Err(error) => {
                let problem = context.found.problem(at, format!("`{shown}`: {} {error}", which(place)));
                result = problem.hint("list only certificates of authorities; clients send those below them").fail();
            }
        }
    }
    result.map(|()| authorities)
}

/// The lists in a file, each with the place of the file.
fn lists(
    file: &str,
    at: &Path,
    authorities: &[Authority],
    context: &mut Context<'_>,
) -> Result<Vec<(Path, Revoked)>, Reported> {
    let bytes = keys::bytes_up_to(CRL_BYTES_MAX, file, at, context)?;
    let shown = context.source.resolve_secret(file).display().to_string();
    let pem: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&bytes).map_while(Result::ok).collect();
    let ders: Vec<&[u8]> = if pem.is_empty() { vec![&bytes] } else { pem.iter().map(|list| &**list).collect() };
    let mut lists = Vec::new();
    for der in ders {
        match Revoked::read(der, authorities) {
            Ok(list) => lists.push((at.clone(), list)),
            Err(error) => return context.found.problem(at, format!("the file `{shown}` {error}")).fail(),
        }
    }
    for (_, list) in lists.iter().filter(|(_, list)| !authorities.iter().any(|authority| list.is_of(authority))) {
        let message = format!("this list is of `{}`, which is no authority of this trust store", list.issuer);
        let hint = "it is used only for certificates of an intermediate authority of that name, which clients send";
        context.found.warning(at, message).hint(hint);
    }
    Ok(lists)
}

/// Only the first of two lists for the same certificates would be asked.
fn one_for_each(lists: &[(Path, Revoked)], context: &mut Context<'_>) -> Result<(), Reported> {
    for (place, (at, list)) in lists.iter().enumerate() {
        if let Some((first, _)) = lists[..place].iter().find(|(_, other)| list.competes_with(other)) {
            let message = format!("a second list of `{}`", list.issuer);
            let problem = context.found.problem(at, message).label(first, "the first one");
            return problem.hint("keep the newest: it has everything that the older one has").fail();
        }
    }
    Ok(())
}
