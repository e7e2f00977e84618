//! Which exchanges are recorded.

/// How many traces are recorded, and who else may decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    threshold: u64,
    parents: Parents,
}

/// Whose `traceparent` is continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    /// That of trusted peers.
    Trusted,
    /// That of every client.
    Any,
    /// Nobody's.
    None,
}

/// What becomes of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is recorded.
    Skip,
    /// The exchange is recorded in the trace of its caller.
    Continue,
    /// The exchange is recorded in a new trace.
    Begin,
}

/// What is known of the caller of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Whether the caller records its span. `None` without a valid `traceparent`.
    pub is_sampled: Option<bool>,
    pub is_trusted: bool,
}

/// The bits of a trace ID that are random by W3C Trace Context level 2 §3.2.2.3, and that samplers look at.
const RANDOM_BITS: u32 = 56;

impl Sampling {
    /// Records `ratio` of the traces that begin here: 0 to 1.
    pub fn new(ratio: f64, parents: Parents) -> Self {
        let all = (1_u64 << RANDOM_BITS) as f64;
        // A product of two numbers that are not negative. `as` cuts what is greater.
        let threshold = ((1.0 - ratio.clamp(0.0, 1.0)) * all) as u64;
        Self { threshold, parents }
    }

    /// Decides on an exchange that would begin the trace `trace`. A stranger decides nothing: otherwise each request of a stranger could be
    /// recorded, or none.
    pub fn decide(&self, trace: u128, caller: Caller) -> Decision {
        let is_believed = match self.parents {
            Parents::Trusted => caller.is_trusted,
            Parents::Any => true,
            Parents::None => false,
        };
        match caller.is_sampled.filter(|_| is_believed) {
            Some(true) => Decision::Continue,
            Some(false) => Decision::Skip,
            None if self.takes(trace) => Decision::Begin,
            None => Decision::Skip,
        }
    }

    /// As the samplers of OpenTelemetry decide (consistent probability sampling): all that see the trace decide alike.
    fn takes(&self, trace: u128) -> bool {
        let random = trace & ((1 << RANDOM_BITS) - 1);
        random >= u128::from(self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::ids;

    const STRANGER: Caller = Caller { is_sampled: None, is_trusted: false };

    #[test]
    fn about_as_many_are_recorded_as_the_ratio_says() {
        for (ratio, least, most) in
            [(0.0, 0, 0), (0.01, 500, 1500), (0.5, 49_000, 51_000), (1.0, 100_000, 100_000), (7.0, 100_000, 100_000)]
        {
            let sampling = Sampling::new(ratio, Parents::Trusted);
            let trace = || u128::from(ids::next()) << 64 | u128::from(ids::next());
            let begun = (0..100_000).filter(|_| sampling.decide(trace(), STRANGER) == Decision::Begin).count();
            assert!((least..=most).contains(&begun), "{ratio}: {begun}");
        }
    }

    #[test]
    fn a_flag_counts_only_where_its_sender_is_believed() {
        let decide = |ratio, parents, is_sampled, is_trusted| {
            Sampling::new(ratio, parents).decide(1, Caller { is_sampled: Some(is_sampled), is_trusted })
        };
        for (parents, is_trusted, is_believed) in [
            (Parents::Trusted, true, true),
            (Parents::Trusted, false, false),
            (Parents::Any, false, true),
            (Parents::None, true, false),
        ] {
            let sampled = decide(0.0, parents, true, is_trusted);
            assert_eq!(sampled, if is_believed { Decision::Continue } else { Decision::Skip }, "{parents:?}");
            let unsampled = decide(1.0, parents, false, is_trusted);
            assert_eq!(unsampled, if is_believed { Decision::Skip } else { Decision::Begin }, "{parents:?}");
        }
    }
}
