//! The options of oauth2-proxy, from its file, its environment and its flags. Flags win over the environment, and that over the file.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::import::documents;
use crate::import::ledger::{At, Ledger};
use crate::import::oauth2_proxy::alpha::{self, Found};
use crate::import::text::Input;

/// Options that have another name in the file, because they are lists there.
const PLURAL: [&str; 15] = [
    "upstream",
    "email_domain",
    "allowed_group",
    "allowed_role",
    "cookie_domain",
    "whitelist_domain",
    "skip_auth_regex",
    "skip_auth_route",
    "api_route",
    "trusted_ip",
    "google_group",
    "keycloak_group",
    "extra_jwt_issuer",
    "oidc_extra_audience",
    "allowed_entra_id_tenant",
];

/// An option that is set.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) values: Vec<String>,
    pub(super) path: String,
}

/// All options by the name that they have in the file.
#[derive(Debug, Default)]
pub(super) struct Options {
    settings: BTreeMap<String, Setting>,
    /// Those of the providers behind the first one.
    others: Vec<Options>,
}

impl Options {
    /// Reads files of options, files with variables (`*.env`) and flags.
    ///
    /// # Errors
    ///
    /// In a sentence: what cannot be read.
    pub(super) fn read(inputs: &[Input], flags: &[String], ledger: &mut Ledger) -> Result<Self, String> {
        let mut options = Self::default();
        let (variables, files): (Vec<&Input>, Vec<&Input>) =
            inputs.iter().partition(|input| input.name.ends_with(".env"));
        for input in files {
            if input.name.ends_with(".yaml") || input.name.ends_with(".yml") {
                options.alpha(input, ledger)?;
                continue;
            }
            let document: Value =
                basic_toml::from_str(&input.text).map_err(|error| format!("{}: {error}", input.name))?;
            let root = At::root(&input.name, &document);
            for (key, at) in root.entries() {
                let values = match at.value.as_array() {
                    Some(items) => items.iter().map(text).collect(),
                    None => vec![text(at.value)],
                };
                options.add(key, values, at.path, ledger);
            }
        }
        for input in variables {
            options.variables(input, ledger);
        }
        options.flags(flags, ledger)?;
        Ok(options)
    }

    fn alpha(&mut self, input: &Input, ledger: &mut Ledger) -> Result<(), String> {
        for document in documents::yaml(input)? {
            ledger.add(&At::root(&input.name, &document));
            for Found { provider, name, values, path } in alpha::options(&input.name, &document)? {
                let options = match provider {
                    None | Some(0) => &mut *self,
                    Some(number) => {
                        self.others.resize_with(self.others.len().max(number), Self::default);
                        &mut self.others[number - 1]
                    }
                };
                options.insert(&name, values, path, ledger);
            }
        }
        Ok(())
    }

    fn variables(&mut self, input: &Input, ledger: &mut Ledger) {
        for (number, line) in input.text.lines().enumerate() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
            let path = format!("{}: line {}: {}", input.name, number + 1, name.trim());
            let value = value.trim();
            let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            let value = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(value);
            match name.trim().strip_prefix("OAUTH2_PROXY_") {
                Some(name) => {
                    let name = plural(&name.to_ascii_lowercase());
                    let is_list = PLURAL.iter().any(|one| plural(one) == name);
                    let values = if is_list {
                        value.split(',').map(|one| one.trim().to_owned()).collect()
                    } else {
                        vec![value.to_owned()]
                    };
                    self.add(&name, values, path, ledger);
                }
                None => {
                    ledger.add_leaf(path.clone());
                    ledger.dropped(&path, "a variable for another program");
                }
            }
        }
    }

    /// `--name=value`, `--name value`, or `--name` for one that is on.
    fn flags(&mut self, flags: &[String], ledger: &mut Ledger) -> Result<(), String> {
        let mut given: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
        let mut rest = flags.iter().peekable();
        while let Some(flag) = rest.next() {
            let Some(name) = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')).filter(|name| !name.is_empty())
            else {
                return Err(format!("`{}` is no flag of oauth2-proxy", flag.split('=').next().unwrap_or_default()));
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match rest.next_if(|next| !next.starts_with('-')) {
                    Some(value) => (name, value.clone()),
                    None => (name, "true".to_owned()),
                },
            };
            let entry = given
                .entry(plural(&name.replace('-', "_")))
                .or_insert_with(|| (Vec::new(), format!("flags: --{name}")));
            entry.0.push(value);
        }
        for (name, (values, path)) in given {
            self.add(&name, values, path, ledger);
        }
        Ok(())
    }

    fn add(&mut self, name: &str, values: Vec<String>, path: String, ledger: &mut Ledger) {
        ledger.add_leaf(path.clone());
        self.insert(name, values, path, ledger);
    }

    fn insert(&mut self, name: &str, values: Vec<String>, path: String, ledger: &mut Ledger) {
        if let Some(before) = self.settings.insert(plural(name), Setting { values, path: path.clone() }) {
            ledger.dropped(&before.path, &format!("{path} wins"));
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name).filter(|setting| setting.values.iter().any(|value| !value.is_empty()))
    }

    /// The first value.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.values.first().map(String::as_str)
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.get(name).map(|setting| setting.values.clone()).unwrap_or_default()
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| matches!(text, "true" | "True" | "TRUE" | "1" | "t" | "T"))
    }

    /// Those of the providers behind the first one.
    pub(super) fn others(&self) -> &[Self] {
        &self.others
    }

    /// The same without the providers behind the first one.
    pub(super) fn of_first_provider(self) -> Self {
        Self { others: Vec::new(), ..self }
    }

    /// All options, also those of other providers.
    pub(super) fn everything(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.all().chain(self.others.iter().flat_map(Self::all))
    }

    /// All options.
    fn all(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.settings.iter().map(|(name, setting)| (name.as_str(), setting))
    }
}

fn plural(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if PLURAL.contains(&name.as_str()) { format!("{name}s") } else { name }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
