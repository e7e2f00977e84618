//! Client certificates of listeners, and their trust stores (ALB §10.8). AWS does not give the certificates away with the rest: the operator
//! downloads them.

use crate::import::draft::{Draft, Need, name_like};
use crate::import::elbv2::inventory::Inventory;
use crate::import::ledger::{At, Ledger, flag};
use crate::import::yaml::{Map, Yaml};

/// What is said of a trust store that is not described.
const NOT_DESCRIBED: &str =
    "(describe-trust-stores --trust-store-arns and describe-trust-store-revocations --trust-store-arn)";

/// The trust stores that were given, and their lists of revoked certificates.
#[derive(Debug, Default)]
pub(in crate::import) struct TrustStores<'v> {
    stores: Vec<At<'v>>,
    revocations: Vec<At<'v>>,
}

impl<'v> TrustStores<'v> {
    pub(super) fn of(inventory: &Inventory<'v>) -> Self {
        Self::new(inventory.trust_stores.clone(), inventory.revocations.clone())
    }

    /// From the items of `TrustStores` and `TrustStoreRevocations`.
    pub(in crate::import) fn new(stores: Vec<At<'v>>, revocations: Vec<At<'v>>) -> Self {
        Self { stores, revocations }
    }

    /// Carries over `MutualAuthentication` of a listener. `Ok(None)` if it is off.
    ///
    /// # Errors
    ///
    /// In a sentence, if it cannot be carried over: who comes in would not be known.
    pub(in crate::import) fn setting(
        &self,
        mutual: &At<'_>,
        header_names: &Map,
        draft: &mut Draft,
        ledger: &mut Ledger,
    ) -> Result<Option<Map>, String> {
        let mode = mutual.text("Mode").unwrap_or_default();
        let mut setting = Map::default().with("mode", mode);
        match mode {
            "off" => {
                ledger.kept(&mutual.path, "off");
                return Ok(None);
            }
            "passthrough" => {}
            "verify" => self.verify(mutual, &mut setting, draft, ledger)?,
            other => return Err(format!("the mode of client certificates is `{other}`")),
        }
        if !header_names.is_empty() {
            setting.set("header_names", header_names.clone());
        }
        for key in ["Mode", "TrustStoreArn", "trustStore", "TrustStoreAssociationStatus", "Port"] {
            mutual.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "mutual_authentication"));
        }
        // With `passthrough`, they mean nothing.
        for key in ["IgnoreClientCertificateExpiry", "AdvertiseTrustStoreCaNames"] {
            mutual.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "mutual_authentication"));
        }
        Ok(Some(setting))
    }

    fn verify(&self, mutual: &At<'_>, setting: &mut Map, draft: &mut Draft, ledger: &mut Ledger) -> Result<(), String> {
        if mutual.text("TrustStoreAssociationStatus") == Some("removed") {
            return Err("the trust store of the listener was removed".to_owned());
        }
        let named = mutual.text("TrustStoreArn").or(mutual.text("trustStore"));
        let named = named.ok_or("the listener verifies client certificates, and has no trust store")?;
        setting.set("trust_store", self.store(named, draft, ledger)?);
        match mutual.get("IgnoreClientCertificateExpiry").map(|at| flag(at.value)) {
            Some(Some(true)) => {
                setting.set("ignore_client_certificate_expiry", true);
            }
            Some(None) => return Err("IgnoreClientCertificateExpiry is neither true nor false".to_owned()),
            _ => {}
        }
        if mutual.text("AdvertiseTrustStoreCaNames") == Some("on") {
            setting.set("advertise_trust_store_ca_names", "on");
        }
        Ok(())
    }

    /// The name of a trust store by its ARN or name.
    fn store(&self, named: &str, draft: &mut Draft, ledger: &mut Ledger) -> Result<String, String> {
        let is_named = |at: &&At<'_>| at.text("TrustStoreArn") == Some(named) || at.text("Name") == Some(named);
        let store = self.stores.iter().find(is_named);
        let store = store.ok_or_else(|| format!("the trust store {named} is not described {NOT_DESCRIBED}"))?;
        let arn = store.text("TrustStoreArn").unwrap_or(named);
        let name = store.text("Name").unwrap_or("clients");
        // A store of another account can have the same name.
        let is_only = self.stores.iter().filter(|at| at.text("Name") == store.text("Name")).count() == 1;
        let id = arn.rsplit('/').next().unwrap_or(arn);
        let name = if is_only { name_like(name) } else { name_like(&format!("{id}-{name}")) };
        let lists = self.lists(store, arn, &name, ledger)?;
        let file = format!("trust/{name}.pem");
        for (list, id) in &lists {
            let what = format!(
                "aws elbv2 get-trust-store-revocation-content --trust-store-arn {arn} --revocation-id {id} has the address to download it from"
            );
            draft.needs(list, Need::Revoked { what });
        }
        let what = format!(
            "aws elbv2 get-trust-store-ca-certificates-bundle --trust-store-arn {arn} has the address to download it from"
        );
        let names: Vec<String> = lists.into_iter().map(|(list, _)| list).collect();
        let files = |names: &[String]| Yaml::List(names.iter().map(|name| Yaml::File(name.clone())).collect());
        let mut settings = Map::default().with("ca_files", files(std::slice::from_ref(&file)));
        if !names.is_empty() {
            settings.set("crl_files", files(&names));
            settings.set("certificates_without_crl", "accept");
            settings.comment(
                "certificates_without_crl",
                "As the load balancer did. Better: refuse, with a list of each authority.",
            );
        }
        draft.needs(&file, Need::Authorities { lists: names, what });
        draft.trust_store(&name, settings);
        for key in ["Name", "TrustStoreArn"] {
            store.get(key).into_iter().for_each(|at| ledger.kept(&at.path, "trust_stores"));
        }
        for (key, at) in store.entries() {
            if !matches!(key, "Name" | "TrustStoreArn") {
                ledger.changed(&at.path, "files that you have to download");
            }
        }
        Ok(name)
    }

    /// Files for the lists of revoked certificates, with their IDs. An error if it is not known which there are.
    fn lists(
        &self,
        store: &At<'_>,
        arn: &str,
        name: &str,
        ledger: &mut Ledger,
    ) -> Result<Vec<(String, String)>, String> {
        let own: Vec<&At<'_>> = self.revocations.iter().filter(|at| at.text("TrustStoreArn") == Some(arn)).collect();
        let is_without = store.number("TotalRevokedEntries") == Some(0);
        if own.is_empty() && !is_without {
            return Err(format!(
                "it is not known which certificates of the trust store {name} are revoked {NOT_DESCRIBED}"
            ));
        }
        let mut lists = Vec::new();
        for at in own {
            let id = at.get("RevocationId").map(|id| id.value.to_string().trim_matches('"').to_owned());
            let id = id.ok_or("a list of revoked certificates has no RevocationId")?;
            ledger.changed(&at.path, "a file that you have to download");
            lists.push((format!("trust/{}-revoked-{}.pem", name, name_like(&id)), id));
        }
        Ok(lists)
    }
}
