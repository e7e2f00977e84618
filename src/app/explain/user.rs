//! For `check --request --claims`: what the gates of a rule decide about a user with these claims.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::action::decisions::Verdict;
use crate::action::requirement::{Answer, Explained};
use crate::action::{ActionChain, Gate};
use crate::clock::Timestamp;

/// Characters of a claim that are shown.
const CLAIM_CHARS_MAX: usize = 200;

/// Describes the decision of each gate. It asks the gates that serve requests.
pub(super) fn explain(text: &mut String, chain: &ActionChain, claims: &Map<String, Value>, now: Timestamp) {
    let mut gates = chain.gates.iter();
    let supposed = gates.find_map(|gate| match (gate.authenticate(), gate.bearer()) {
        (Some(authenticate), _) => Some(authenticate.supposed(claims.clone())),
        (None, Some(bearer)) => Some(bearer.supposed(claims.clone())),
        (None, None) => None,
    });
    let Some(supposed) = supposed else {
        text.push_str("  the rule identifies nobody, so the claims decide nothing\n");
        return;
    };
    let Some(user) = supposed else {
        let why = match claims.get("sub") {
            None => "they have no `sub`",
            Some(_) => "`sub` must be text",
        };
        let _ = writeln!(text, "  no sign-in gives these claims: {why}");
        return;
    };
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or(user.issuer());
    if issuer != user.issuer() {
        let _ =
            writeln!(text, "  note: the claims are of the issuer `{issuer}`, the rule signs in at `{}`", user.issuer());
    }
    let _ = writeln!(text, "  the user `{}` with these claims:", user.subject());
    let mut is_asked = false;
    for gate in &chain.gates {
        let Gate::Authorize(authorize) = gate else { continue };
        is_asked = true;
        let (verdict, parts) = authorize.explain(&user, now);
        let verdict = match verdict {
            Verdict::LetIn => "lets the user in".to_owned(),
            Verdict::StepUp(shortfall) => format!("has the user sign in again: {shortfall}"),
            Verdict::Reported => "lets the user in because of `mode: report` only".to_owned(),
            Verdict::Refused(reason) => format!("refuses with {} `{}`", reason.status().as_u16(), reason.code()),
        };
        let _ = writeln!(text, "    authorize: {verdict}");
        parts.iter().for_each(|part| line(text, part));
    }
    if !is_asked {
        text.push_str("    nothing is required: everybody who is signed in is let in\n");
    }
}

fn line(text: &mut String, explained: &Explained) {
    let Explained { depth, part, answer, claim, note } = explained;
    let _ = write!(text, "{:width$}{part}: {answer}", "", width = 6 + 2 * depth);
    if let (Some(claim), Answer::No | Answer::Unknown(_)) = (claim, answer) {
        let shown: String = claim.chars().take(CLAIM_CHARS_MAX).collect();
        let more = if shown.len() < claim.len() { "…" } else { "" };
        let _ = write!(text, "; it is {shown}{more}");
    }
    if let Some(note) = note {
        let _ = write!(text, "; {note}");
    }
    text.push('\n');
}
