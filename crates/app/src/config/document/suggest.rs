//! Suggests the name that was probably meant.

/// The candidate of which `written` is most likely a misspelling or a part, if one is close enough.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(written, candidates).into_iter().next()
}

/// All candidates of which `written` may be a misspelling or a part, the nearest first.
pub(crate) fn near<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let folded = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let written = folded(written);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&written, &folded(candidate));
    // Up to a third of the letters may differ. A name of two letters must not match any other name.
    let is_near = |candidate: &&str| {
        let is_part = written.len() >= PART_LENGTH_MIN && folded(candidate).contains(&written);
        is_part || distance(candidate) <= (candidate.len().max(written.len()) / 3).max(1)
    };
    let mut near: Vec<&str> = candidates.into_iter().filter(is_near).collect();
    near.sort_by_key(|candidate| distance(candidate));
    near
}

/// Shorter words are part of too many names.
const PART_LENGTH_MIN: usize = 4;

/// `did you mean …?`, or else the list of candidates.
pub(crate) fn hint<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(candidate) = nearest(written, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    match all.as_slice() {
        [] => None,
        [only] => Some(format!("expected {only}")),
        [rest @ .., last] => Some(format!("expected one of {} or {last}", rest.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_far_away() {
        assert_eq!(nearest("target_grop", ["target_group", "type"]), Some("target_group"));
        assert_eq!(nearest("targetGroup", ["target_group", "type"]), Some("target_group"));
        assert_eq!(nearest("fixed_response", ["fixed-response"]), Some("fixed-response"));
        assert_eq!(nearest("ap", ["app"]), Some("app"));
        assert_eq!(nearest("secret_file", ["client_secret", "client_secret_file"]), Some("client_secret_file"));
        assert_eq!(nearest("web", ["app"]), None);
        assert_eq!(nearest("", ["session"]), None);
    }
}
