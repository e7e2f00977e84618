//! Which paths of requests are names of files.

/// The name below the directory, without slashes at its ends. Empty: the directory itself. `None` if no file has such a name, or none that
/// may be served (attacks P-21, P-22).
///
/// `path` is the decoded path that rules match, so nothing is decoded here.
pub(super) fn below<'p>(path: &'p str, prefix: &str, dotfiles: bool) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let name = rest.strip_prefix('/').unwrap_or(rest);
    let name = name.strip_suffix('/').unwrap_or(name);
    (name.is_empty() || is_servable(name, dotfiles)).then_some(name)
}

/// Whether a file of that name is served, if it exists. The name is relative to the directory.
pub fn is_servable(name: &str, dotfiles: bool) -> bool {
    let mut segments = name.split('/').enumerate();
    segments.all(|(index, segment)| {
        // The parser of paths has refused dot segments, backslashes and control characters. They are no names here, either.
        let is_name = !matches!(segment, "" | "." | "..") && !segment.contains(|c: char| c.is_control() || c == '\\');
        // RFC 8615: the one name with a dot that is meant for strangers.
        let is_well_known = index == 0 && segment == ".well-known";
        is_name && (dotfiles || is_well_known || !segment.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_22_names_that_begin_with_a_dot_are_not_served() {
        for name in [".env", ".git/config", "a/.htpasswd", "a/.well-known/x", ".well-known/.git", "..data/x", "..."] {
            assert!(!is_servable(name, false), "{name}");
            assert!(is_servable(name, true), "{name}");
        }
        for name in ["a.b", "a/b.c/d", ".well-known/security.txt", "a..b", "a.", "x~"] {
            assert!(is_servable(name, false), "{name}");
        }
    }

    #[test]
    fn p_21_what_leads_out_is_no_name_whatever_is_set() {
        for name in ["", "..", ".", "a/..", "a/../b", "a//b", "/a", "a/", "a\\..\\b", "a\0", "a\nb", "./a"] {
            assert!(!is_servable(name, true), "{name:?}");
        }
    }

    #[test]
    fn a_prefix_is_a_whole_part_of_a_path() {
        let check = |path, expected: Option<&str>| assert_eq!(below(path, "/docs", false), expected, "{path}");
        check("/docs", Some(""));
        check("/docs/", Some(""));
        check("/docs/a/b", Some("a/b"));
        check("/docs/a/", Some("a"));
        check("/docs2/a", None);
        check("/Docs/a", None);
        check("/a", None);
        check("/docs/.git", None);
        assert_eq!(below("/", "", false), Some(""));
        assert_eq!(below("/a", "", false), Some("a"));
    }
}
