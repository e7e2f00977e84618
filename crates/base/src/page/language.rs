//! Which language a visitor reads: `Accept-Language` (RFC 9110 §12.5.4), by the lookup of RFC 4647 §3.4.

use http::{HeaderMap, header};

use crate::page::translation::Translation;

/// How many language ranges are looked at. Browsers send fewer than ten.
const RANGES_MAX: usize = 20;

/// Longest language tag. RFC 5646 §4.4.1 recommends to support 35 bytes.
const TAG_LENGTH_MAX: usize = 35;

/// One of the languages of [`Pages`](crate::page::Pages). The default is its first, English.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Language(pub(super) u8);

/// The language of `known` that the client likes best. The first one if there is none.
pub(super) fn accepted(headers: &HeaderMap, known: &[Translation]) -> Language {
    let fields = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<(u16, Language)> = None;
    for item in fields.flat_map(|field| field.split(',')).take(RANGES_MAX) {
        let (range, parameters) = item.split_once(';').unwrap_or((item, "q=1"));
        let Some(weight) = weight(parameters.trim()) else { continue };
        // Of equal weights, the first wins. A weight of zero means "not this".
        if weight > best.map_or(0, |(weight, _)| weight)
            && let Some(language) = lookup(range.trim(), known)
        {
            best = Some((weight, language));
        }
    }
    best.map_or_else(Language::default, |(_, language)| language)
}

/// The first language of a list that is known: `ui_locales` (OpenID Connect Core §3.1.2.1), separated by spaces.
pub(super) fn asked_for(locales: &str, known: &[Translation]) -> Option<Language> {
    locales.split(' ').take(RANGES_MAX).find_map(|range| lookup(range, known))
}

/// The translation of which a language tag names a variant: `en` for `en-US`.
pub fn wider<'t>(tag: &str, known: &'t [Translation]) -> Option<&'t Translation> {
    lookup(tag, known).map(|found| &known[usize::from(found.0)])
}

/// Whether a text has the form of a language tag: letters and digits in groups of at most eight, joined by `-`. The first group is a
/// code of two or three letters: longer codes of languages do not exist (RFC 5646 §2.2.1).
pub fn is_tag(text: &str) -> bool {
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_code = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.len() <= TAG_LENGTH_MAX && text.split('-').all(is_subtag) && text.split('-').next().is_some_and(is_code)
}

/// RFC 4647 §3.4: cuts subtags off the end of the range until a language matches. `*` matches nothing: the default is for it.
fn lookup(range: &str, known: &[Translation]) -> Option<Language> {
    if range.len() > TAG_LENGTH_MAX {
        return None;
    }
    let mut range = range;
    loop {
        if let Some(at) = known.iter().position(|translation| translation.tag().eq_ignore_ascii_case(range)) {
            return u8::try_from(at).ok().map(Language);
        }
        range = range.rsplit_once('-')?.0;
        // A single letter introduces what was just cut off.
        while let Some((shorter, "" | "x" | "X" | "u" | "U" | "t" | "T")) = range.rsplit_once('-') {
            range = shorter;
        }
    }
}

/// RFC 9110 §12.4.2, in thousandths. `None` if it is malformed.
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim_start();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::HeaderValue;

    use super::*;

    const KNOWN: [&str; 4] = ["en", "de", "pt-BR", "zh-Hant"];

    fn known() -> [Translation; 4] {
        KNOWN.map(|tag| Translation::new(tag, BTreeMap::new()))
    }

    #[track_caller]
    fn check(sent: &[&str], expected: &str) {
        let values = sent.iter().map(|value| (header::ACCEPT_LANGUAGE, HeaderValue::from_str(value).expect("a value")));
        let found = accepted(&values.collect(), &known());
        assert_eq!(KNOWN[usize::from(found.0)], expected, "{sent:?}");
    }

    #[test]
    fn the_language_with_the_highest_weight_is_chosen() {
        check(&[], "en");
        check(&["de"], "de");
        check(&["DE"], "de");
        check(&["en;q=0.5, de;q=0.6"], "de");
        check(&["de;q=0.6, en;q=0.6"], "de");
        check(&["en ;q=0.6 , de ; q=0.7"], "de");
        check(&["fr-CH, fr;q=0.9, de;q=0.8, en;q=0.7"], "de");
        check(&["fr", "de;q=0.1"], "de");
        check(&["de;q=0.001, en;q=0"], "de");
        check(&["fr, ja"], "en");
    }

    #[test]
    fn rfc_4647_a_range_is_cut_until_it_matches() {
        check(&["de-AT"], "de");
        check(&["de-CH-1996"], "de");
        check(&["de-Latn-x-private"], "de");
        check(&["de-u-co-phonebk"], "de");
        check(&["pt-BR"], "pt-BR");
        check(&["zh-Hant-TW"], "zh-Hant");
        // A shorter range does not match a longer tag.
        check(&["pt"], "en");
        check(&["d"], "en");
        check(&["*"], "en");
        check(&["*, de;q=0.5"], "de");
    }

    #[test]
    fn what_is_malformed_or_endless_is_passed_over() {
        for malformed in
            ["de;q=2", "de;q=1.001", "de;q=0.0001", "de;q=", "de;q", "de;level=1", "de;q=-1", "de;q=0.5;a=b", "", ",,;"]
        {
            check(&[malformed], "en");
        }
        check(&["de;q=0"], "en");
        check(&[&format!("de-{}", "a-".repeat(30_000))], "en");
        check(&[&format!("{}de", "fr,".repeat(RANGES_MAX - 1))], "de");
        check(&[&format!("{}de", "fr,".repeat(RANGES_MAX))], "en");
    }

    #[test]
    fn the_locales_of_an_authorization_request_are_in_order_of_preference() {
        let check = |locales, expected: Option<&str>| {
            let found = asked_for(locales, &known()).map(|language| KNOWN[usize::from(language.0)]);
            assert_eq!(found, expected, "{locales}");
        };
        check("", None);
        check("fr ja", None);
        check("fr-CA fr de-DE en", Some("de"));
        check("en de", Some("en"));
    }

    #[test]
    fn a_tag_has_the_form_of_a_tag() {
        for tag in ["en", "de-AT", "zh-Hant-TW", "sr-Latn-RS"] {
            assert!(is_tag(tag), "{tag}");
        }
        for other in
            ["", "e", "de_AT", "de-", "-de", "de AT", "\"><", "abcdefghi", "12", "deutsch", "d3", &"de-".repeat(12)]
        {
            assert!(!is_tag(other), "{other}");
        }
    }
}
