//! `jwt-validation` (ALB §8.1).

use crate::import::ledger::{At, Ledger};
use crate::import::yaml::{Map, Yaml};

/// Carries over the configuration of a `jwt-validation`.
///
/// # Errors
///
/// In a sentence, if it cannot be carried over: the rule has to be closed.
pub(in crate::import) fn gate(config: &At<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let mut gate = Map::default().with("type", "jwt-validation");
    for (key, name) in [("Issuer", "issuer"), ("JwksEndpoint", "jwks_endpoint")] {
        let at = config.get(key).ok_or_else(|| format!("jwt-validation has no {key}"))?;
        gate.set(name, at.value.as_str().ok_or_else(|| format!("{key} is no text"))?);
        ledger.kept(&at.path, &format!("jwt-validation: {name}"));
    }
    // The load balancer knows no other (ALB §8.2).
    gate.set("algorithms", &["RS256".to_owned()][..]);
    if let Some(claims) = config.get("AdditionalClaims") {
        if !claims.value.is_array() {
            return Err("AdditionalClaims is no list".to_owned());
        }
        let claims: Vec<Map> = claims.items().iter().map(|at| claim(at, ledger)).collect::<Result<_, _>>()?;
        if claims.is_empty() {
            config.get("AdditionalClaims").into_iter().for_each(|at| ledger.kept(&at.path, "none"));
        } else {
            gate.set("additional_claims", claims);
        }
    }
    Ok(gate)
}

fn claim(at: &At<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let mut claim = Map::default();
    for (key, name) in [("Name", "name"), ("Format", "format"), ("Values", "values")] {
        let member = at.get(key).ok_or_else(|| format!("an additional claim has no {key}"))?;
        let value = match name {
            "values" => member.texts().map(|texts| Yaml::from(&texts[..])),
            _ => member.value.as_str().map(Yaml::from),
        };
        claim.set(name, value.ok_or_else(|| format!("{key} of an additional claim cannot be read"))?);
        ledger.kept(&member.path, "jwt-validation: additional_claims");
    }
    Ok(claim)
}
