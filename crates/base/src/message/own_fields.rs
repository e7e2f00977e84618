//! The header fields that Vestibule itself writes into a request for a target.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The approximate number of fields that a signed-in user's request gets.
const FIELDS_USUAL: usize = 12;

/// Fields that replace every field of the same name from the client.
///
/// They are stored apart from the client's fields. The code that writes the head first writes the client's fields, without
/// those for which [`replaces`](Self::replaces) is true, and then these fields. So a client's field never appears next to
/// one of ours with the same name (attacks H-01, H-09), and the client's map is only read.
#[derive(Debug, Default)]
pub struct OwnFields {
    /// If there is no value, the client's fields of this name are omitted and nothing is written.
    fields: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Bit `n` is set if one of the names has `n` bytes. This test alone rules out nearly every other name.
    lengths: u64,
}

impl OwnFields {
    /// An empty list, with capacity for the fields of a usual request.
    pub fn with_room() -> Self {
        Self { fields: Vec::with_capacity(FIELDS_USUAL), lengths: 0 }
    }

    /// Adds a field. A name that is added twice is written twice.
    pub fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.put(name, Some(value));
    }

    /// Omits the client's fields of this name.
    pub fn omit(&mut self, name: HeaderName) {
        self.put(name, None);
    }

    fn put(&mut self, name: HeaderName, value: Option<HeaderValue>) {
        self.lengths |= length_bit(&name);
        self.fields.push((name, value));
    }

    /// Puts another value in place of the values of this name, or adds the field.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.fields.retain(|(own, _)| *own != name);
        self.add(name, value);
    }

    /// Whether the client's fields of this name are omitted.
    pub fn replaces(&self, name: &HeaderName) -> bool {
        self.lengths & length_bit(name) != 0 && self.fields.iter().any(|(own, _)| own == name)
    }

    /// The fields to write.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }

    /// Changes `headers`, the client's fields, into the headers for the target.
    pub fn write_into(&self, headers: &mut HeaderMap) {
        for (name, _) in &self.fields {
            headers.remove(name);
        }
        headers.extend(self.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// The bit for the length of a name. Names of 63 bytes and more share one bit.
fn length_bit(name: &HeaderName) -> u64 {
    1 << name.as_str().len().min(63)
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::message::header::{FORWARDED_HOST, OIDC_DATA, OIDC_IDENTITY};

    #[test]
    fn h_09_a_field_of_ours_replaces_every_field_of_its_name() {
        let mut own = OwnFields::with_room();
        own.add(OIDC_DATA, HeaderValue::from_static("signed"));
        own.omit(OIDC_IDENTITY);
        let long: HeaderName = "x".repeat(100).parse().expect("a name");
        own.add(long.clone(), HeaderValue::from_static("1"));
        own.add(long.clone(), HeaderValue::from_static("2"));
        let mut headers = HeaderMap::new();
        for name in [&OIDC_DATA, &OIDC_DATA, &OIDC_IDENTITY, &FORWARDED_HOST, &header::ACCEPT, &long] {
            headers.append(name, HeaderValue::from_static("from the client"));
        }
        for (name, expected) in [(&OIDC_DATA, true), (&OIDC_IDENTITY, true), (&long, true)] {
            assert_eq!(own.replaces(name), expected, "{name}");
        }
        // `x-forwarded-host` has as many bytes as `x-amzn-oidc-data`.
        assert!(!own.replaces(&FORWARDED_HOST) && !own.replaces(&header::ACCEPT));
        assert!(!own.replaces(&"y".repeat(100).parse().expect("a name")));
        own.write_into(&mut headers);
        let values = |name: &HeaderName| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(values(&OIDC_DATA), ["signed"]);
        assert!(values(&OIDC_IDENTITY).is_empty());
        assert_eq!(values(&long), ["1", "2"]);
        assert_eq!(values(&FORWARDED_HOST), ["from the client"]);
        assert_eq!(values(&header::ACCEPT), ["from the client"]);
    }
}
