//! Groups and members for unit tests.

use std::sync::Arc;
use std::time::Instant;

use crate::upstream::members::Members;
use crate::upstream::place::Place;
use crate::upstream::target::{Target, TargetId};

/// Targets with these weights, none of which listens.
pub(super) fn members(weights: &[u32], now: Instant) -> Members {
    let target = |(index, weight): (usize, &u32)| {
        let port = u16::try_from(index + 1).expect("not that many");
        let id = TargetId { group: "app".into(), place: Place::new("127.0.0.1", port), tls: None };
        (Arc::new(Target::new(id, now)), *weight)
    };
    Members::new(1, weights.iter().enumerate().map(target).collect())
}
