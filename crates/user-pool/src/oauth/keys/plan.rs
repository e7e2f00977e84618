//! What has to be done with the keys of a pool.

use crate::clock::Timestamp;
use crate::jose::signing_key::Algorithm;
use crate::oauth::keys::key::{KeyRow, PUBLISHED_BEFORE, State};

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make a key, and begin with this state.
    Make(Algorithm, State),
    /// Let the next key sign in the place of the current one.
    Promote(Algorithm),
    /// Publish a key no longer.
    Retire(String),
}

/// What has to be done first. `None`: nothing at this time.
pub(super) fn next(keys: &[KeyRow], algorithms: &[Algorithm], now: Timestamp) -> Option<Step> {
    let find = |algorithm, state| keys.iter().find(move |key| key.algorithm == algorithm && key.state == state);
    let of_algorithm = |algorithm: &Algorithm| {
        let algorithm = *algorithm;
        match (find(algorithm, State::Current), find(algorithm, State::Next)) {
            // Nobody has a token of the pool yet, so nobody has an old key set.
            (None, None) => Some(Step::Make(algorithm, State::Current)),
            (None, Some(_)) => Some(Step::Promote(algorithm)),
            (Some(current), None) => {
                (current.signs_until <= now + PUBLISHED_BEFORE).then_some(Step::Make(algorithm, State::Next))
            }
            (Some(current), Some(next)) => {
                let is_known = now.since(next.created_at) >= PUBLISHED_BEFORE;
                (current.signs_until <= now && is_known).then_some(Step::Promote(algorithm))
            }
        }
    };
    let over = |key: &&KeyRow| key.state == State::Former && key.published_until.is_some_and(|until| until <= now);
    let retired = || keys.iter().find(over).map(|key| Step::Retire(key.kid.clone()));
    algorithms.iter().find_map(of_algorithm).or_else(retired)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oauth::keys::key::{PUBLISHED_AFTER, SIGNS_FOR};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const RSA: &[Algorithm] = &[Algorithm::Rs256];

    fn key(state: State, created_at: Timestamp) -> KeyRow {
        KeyRow {
            kid: format!("{state:?}"),
            algorithm: Algorithm::Rs256,
            state,
            created_at,
            signs_until: created_at + SIGNS_FOR,
            published_until: (state == State::Former).then_some(created_at + PUBLISHED_AFTER),
            public: String::new(),
            sealed: None,
        }
    }

    #[test]
    fn a_pool_without_keys_gets_one_of_each_algorithm_that_signs_at_once() {
        let both = [Algorithm::Rs256, Algorithm::Es256];
        assert_eq!(next(&[], &both, NOW), Some(Step::Make(Algorithm::Rs256, State::Current)));
        let one = [key(State::Current, NOW)];
        assert_eq!(next(&one, &both, NOW), Some(Step::Make(Algorithm::Es256, State::Current)));
        assert_eq!(next(&one, RSA, NOW), None);
    }

    #[test]
    fn a_key_signs_for_ninety_days_and_is_published_a_day_before_and_until_its_tokens_have_expired() {
        let current = key(State::Current, NOW);
        let (day, end) = (Duration::from_secs(86_400), NOW + SIGNS_FOR);
        let second = Duration::from_secs(1);
        let one = [current.clone()];
        assert_eq!(next(&one, RSA, end - day - second), None);
        assert_eq!(next(&one, RSA, end - day), Some(Step::Make(Algorithm::Rs256, State::Next)));
        let both = [current.clone(), key(State::Next, end - day)];
        assert_eq!(next(&both, RSA, end - second), None);
        assert_eq!(next(&both, RSA, end), Some(Step::Promote(Algorithm::Rs256)));
        // The process was stopped for a long time: the next key is published for a day first all the same.
        let late = [current, key(State::Next, end + day * 9)];
        assert_eq!(next(&late, RSA, end + day * 10 - second), None);
        assert_eq!(next(&late, RSA, end + day * 10), Some(Step::Promote(Algorithm::Rs256)));
        let former = [key(State::Current, end), key(State::Former, end)];
        assert_eq!(next(&former, RSA, end + PUBLISHED_AFTER - second), None);
        assert_eq!(next(&former, RSA, end + PUBLISHED_AFTER), Some(Step::Retire("Former".into())));
    }

    #[test]
    fn where_the_current_key_was_taken_away_the_next_one_signs_at_once() {
        assert_eq!(next(&[key(State::Next, NOW)], RSA, NOW), Some(Step::Promote(Algorithm::Rs256)));
    }
}
