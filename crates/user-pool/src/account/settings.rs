//! What users may change of themselves.

/// The settings of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The attributes that users may change, in the order of the page.
    pub attributes: Vec<String>,
    /// Whether users may delete themselves.
    pub may_delete: bool,
}

/// What users may change without a setting: what they say of themselves, and nothing that an application is likely to decide by (docs/decisions/0102).
pub const BY_DEFAULT: [&str; 15] = [
    "name",
    "given_name",
    "middle_name",
    "family_name",
    "nickname",
    "email",
    "phone_number",
    "address",
    "birthdate",
    "gender",
    "locale",
    "zoneinfo",
    "picture",
    "profile",
    "website",
];

impl Default for Settings {
    fn default() -> Self {
        Self { attributes: BY_DEFAULT.map(str::to_owned).into(), may_delete: false }
    }
}
