//! Finds a number in a long ascending list of numbers that are spread evenly, with few reads.

/// Numbers that are read at a time: 4 KiB, a page of the file.
pub(super) const BLOCK: usize = 512;
/// Steps of interpolation. Of numbers that are spread evenly, two or three are enough. After them, the rest is halved, so that a list which is not
/// spread evenly takes no longer than 64 steps more.
const INTERPOLATIONS: u32 = 6;
/// Places at which the order is looked at.
const PLACES: u64 = 64;

/// Whether `wanted` is among `count` numbers. `read` fills its slice with those from a place on.
///
/// # Errors
///
/// Those of `read`.
pub(super) fn find<E>(
    count: u64,
    wanted: u64,
    mut read: impl FnMut(u64, &mut [u64]) -> Result<(), E>,
) -> Result<bool, E> {
    let mut block = [0; BLOCK];
    // The number is in `low..high`, and all numbers there are within `least..=most`.
    let (mut low, mut high, mut least, mut most) = (0, count, 0, u64::MAX);
    let mut step = 0;
    while low < high && (least..=most).contains(&wanted) {
        let middle = if step < INTERPOLATIONS { guess(low..high, least, most, wanted) } else { low + (high - low) / 2 };
        step += 1;
        let first = middle.saturating_sub(BLOCK as u64 / 2).max(low);
        let length = usize::try_from(high - first).unwrap_or(BLOCK).min(BLOCK);
        let block = &mut block[..length];
        read(first, block)?;
        match (block[0], block[length - 1]) {
            (start, _) if wanted < start => (high, most) = (first, start),
            (_, end) if wanted > end => (low, least) = (first + length as u64, end),
            _ => return Ok(block.binary_search(&wanted).is_ok()),
        }
    }
    Ok(false)
}

/// Where `wanted` is if the numbers are spread evenly.
fn guess(places: std::ops::Range<u64>, least: u64, most: u64, wanted: u64) -> u64 {
    let (width, span) = (u128::from(places.end - places.start), u128::from(most - least) + 1);
    let offset = u128::from(wanted - least) * width / span;
    places.start + u64::try_from(offset).unwrap_or(0)
}

/// Whether the numbers ascend, as far as a few of them show.
///
/// # Errors
///
/// Those of `read`.
pub(super) fn is_sorted_in_places<E>(count: u64, mut read: impl FnMut(u64) -> Result<u64, E>) -> Result<bool, E> {
    let mut before = None;
    let step = (count / PLACES).max(1);
    for at in (0..count).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let number = read(at)?;
        if before.is_some_and(|before| before >= number) {
            return Ok(false);
        }
        before = Some(number);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// Whether `wanted` is found, and in how many reads.
    fn find_in(list: &[u64], wanted: u64) -> (bool, u32) {
        let reads = Cell::new(0);
        let found = find(list.len() as u64, wanted, |first, block| {
            reads.set(reads.get() + 1);
            let first = usize::try_from(first).expect("small");
            block.copy_from_slice(&list[first..first + block.len()]);
            Ok::<_, ()>(())
        });
        (found.expect("read"), reads.get())
    }

    #[test]
    fn few_reads_find_a_number_among_many() {
        // As SHA-1 is spread.
        let mut list: Vec<u64> = (0..1_000_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        list.sort_unstable();
        let most = list.iter().step_by(997).map(|wanted| {
            let (found, reads) = find_in(&list, *wanted);
            assert!(found);
            assert!(!find_in(&list, wanted ^ 1).0);
            reads
        });
        assert!(most.max().expect("some") <= 4);
    }

    #[test]
    fn a_list_that_is_not_spread_evenly_ends_too() {
        let list: Vec<u64> = (0..100_000).chain([u64::MAX - 1, u64::MAX]).collect();
        for wanted in [0, 1, 99_999, 100_000, 1 << 40, u64::MAX - 2, u64::MAX - 1, u64::MAX] {
            let (found, reads) = find_in(&list, wanted);
            assert_eq!(found, list.contains(&wanted), "{wanted}");
            assert!(reads <= 30, "{wanted}: {reads}");
        }
        assert_eq!(find_in(&[], 7), (false, 0));
    }

    #[test]
    fn an_order_that_is_broken_is_seen() {
        let sorted = |list: &[u64]| is_sorted_in_places(list.len() as u64, |at| Ok::<_, ()>(list[at as usize]));
        assert_eq!(sorted(&[]), Ok(true));
        assert_eq!(sorted(&[1, 2, 9]), Ok(true));
        assert_eq!(sorted(&[1, 9, 2]), Ok(false));
        assert_eq!(sorted(&[1, 1]), Ok(false));
        let mut many: Vec<u64> = (0..100_000).collect();
        assert_eq!(sorted(&many), Ok(true));
        many.reverse();
        assert_eq!(sorted(&many), Ok(false));
    }

    proptest! {
        #[test]
        fn it_finds_what_is_there(mut list in proptest::collection::vec(any::<u64>(), 0..2000), at: proptest::sample::Index, other: u64) {
            list.sort_unstable();
            list.dedup();
            if !list.is_empty() {
                prop_assert!(find_in(&list, *at.get(&list)).0);
            }
            prop_assert_eq!(find_in(&list, other).0, list.contains(&other));
        }
    }
}
