//! Objects that survive a change of the configuration, as long as their settings stay the same.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Objects in use, by the settings that they were made from.
#[derive(Debug)]
pub(crate) struct Kept<S, V>(Mutex<Vec<(S, Weak<V>)>>);

impl<S, V> Default for Kept<S, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: PartialEq + Clone, V> Kept<S, V> {
    /// The object that is made from these settings, if one is still in use. Otherwise makes one.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub(crate) fn take_over<E>(&self, settings: S, make: impl FnOnce(S) -> Result<Arc<V>, E>) -> Result<Arc<V>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, value)| value.strong_count() > 0);
        let known = kept.iter().find(|(known, _)| *known == settings).and_then(|(_, value)| value.upgrade());
        if let Some(known) = known {
            return Ok(known);
        }
        let made = make(settings.clone())?;
        kept.push((settings, Arc::downgrade(&made)));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn take(kept: &Kept<&'static str, String>, settings: &'static str) -> Arc<String> {
        kept.take_over(settings, |settings| Ok::<_, Infallible>(Arc::new(settings.to_owned()))).unwrap()
    }

    #[test]
    fn what_has_the_same_settings_is_taken_over_as_long_as_it_is_used() {
        let kept = Kept::default();
        let (one, other) = (take(&kept, "a"), take(&kept, "b"));
        assert!(Arc::ptr_eq(&one, &take(&kept, "a")) && !Arc::ptr_eq(&one, &other));
        drop(one);
        take(&kept, "c");
        assert_eq!(kept.0.lock().unwrap().iter().map(|(settings, _)| *settings).collect::<Vec<_>>(), ["b", "c"]);
    }
}
