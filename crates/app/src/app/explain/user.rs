//! For `check --request --claims`: what the gates of a rule decide about a user with these claims.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::action::ActionChain;
use crate::action::requirement::{Answer, Explained};
use crate::action::supposed_user::Supposed;
use crate::app::explain::suppose::{End, Step, Supposition, identifies};

/// Characters of a claim that are shown.
const CLAIM_CHARS_MAX: usize = 200;

/// Describes what each gate has decided about the user.
pub(super) fn explain(text: &mut String, chain: &ActionChain, claims: &Map<String, Value>, supposition: &Supposition) {
    if !identifies(chain) {
        text.push_str("  the rule identifies nobody, so the claims decide nothing\n");
        return steps(text, &supposition.steps);
    }
    if let End::NobodyHas(why) = &supposition.end {
        let _ = writeln!(text, "  no sign-in gives these claims: {why}");
        return;
    }
    if let Some(Supposed { identity: user, .. }) = &supposition.user {
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or(user.issuer());
        if issuer != user.issuer() {
            let ours = user.issuer();
            let _ = writeln!(text, "  note: the claims are of the issuer `{issuer}`, the rule signs in at `{ours}`");
        }
        let _ = writeln!(text, "  the user `{}` with these claims:", user.subject());
    } else if !supposition.steps.is_empty() {
        text.push_str("  a user with these claims:\n");
    }
    steps(text, &supposition.steps);
    if supposition.user.is_some() && !chain.gates.iter().any(|gate| gate.authorize().is_some()) {
        let _ = writeln!(text, "    {}", everybody(chain));
    }
}

/// Whom a rule without `authorize` lets in.
fn everybody(chain: &ActionChain) -> &'static str {
    let signs_in = chain.gates.iter().any(|gate| gate.authenticate().is_some());
    let takes_tokens = chain.gates.iter().any(|gate| gate.bearer().is_some());
    match (signs_in, takes_tokens) {
        (true, true) => "nothing is required: everybody who is signed in is let in, and every valid token",
        (false, true) => "nothing else is required: every valid token is let in",
        _ => "nothing is required: everybody who is signed in is let in",
    }
}

/// What each gate has decided.
pub(super) fn steps(text: &mut String, steps: &[Step]) {
    for Step { action, verdict, parts } in steps {
        let _ = writeln!(text, "    {action}: {verdict}");
        parts.iter().for_each(|part| line(text, part));
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
