//! E-mail addresses that people type.

/// RFC 5321 §4.5.3.1.3: a path has at most 256 octets, with its angle brackets.
const EMAIL_BYTES_MAX: usize = 254;

/// What was typed as an address with an ASCII domain, and that domain in lower case. `None` if it is no e-mail address.
pub fn parse(typed: &str) -> Option<(String, String)> {
    let typed = typed.trim();
    let (local, domain) = typed.split_once('@')?;
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | ',' | ';' | ':');
    if typed.len() > EMAIL_BYTES_MAX || local.is_empty() || local.chars().any(is_odd) {
        return None;
    }
    let url::Host::Domain(domain) = url::Host::parse(domain).ok()? else { return None };
    // RFC 5321 §4.5.3.1.2. The ASCII form can be longer than what was typed.
    let is_whole = domain.len() <= 255 && !domain.contains('*') && domain.split('.').all(|label| !label.is_empty());
    is_whole.then(|| (format!("{local}@{domain}"), domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_an_address_or_nothing() {
        let check = |typed: &str, expected: Option<(&str, &str)>| {
            let found = parse(typed);
            let found = found.as_ref().map(|(address, domain)| (address.as_str(), domain.as_str()));
            assert_eq!(found, expected, "{typed}");
        };
        check(" ada@Corp.Example ", Some(("ada@corp.example", "corp.example")));
        check("Ada.L+x@corp.example", Some(("Ada.L+x@corp.example", "corp.example")));
        check("ada@bücher.example", Some(("ada@xn--bcher-kva.example", "xn--bcher-kva.example")));
        for other in [
            "",
            "ada",
            "@corp.example",
            "ada@",
            "ada@corp.example@partner.example",
            "ada@corp.example/x",
            "ada@corp.example:80",
            "ada@127.0.0.1",
            "ada@[::1]",
            "ada@corp..example",
            "ada@*.example",
            "a b@corp.example",
            "a\r\nb@corp.example",
            "<ada@corp.example",
            "ada@corp.example\u{0}",
        ] {
            check(other, None);
        }
        assert_eq!(parse(&format!("{}@corp.example", "a".repeat(250))), None);
    }
}
