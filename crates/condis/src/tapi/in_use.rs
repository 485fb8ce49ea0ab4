//! Which lines carry a call: a bit for each line, 64 in a word. The words belong to the caller.

/// Words for `count` lines.
pub const fn words(count: u32) -> u32 {
    count.div_ceil(u64::BITS)
}

/// Takes a line; false if it is in use or there is no such line.
#[must_use]
pub fn take(words: &mut [u64], count: u32, line: u32) -> bool {
    let (word, bit) = place(line);
    let free = words.get_mut(word).filter(|word| line < count && **word & bit == 0);
    free.map(|word| *word |= bit).is_some()
}

/// Whether there is such a line and it is not in use.
pub fn is_free(words: &[u64], count: u32, line: u32) -> bool {
    let (word, bit) = place(line);
    line < count && words.get(word).is_some_and(|word| word & bit == 0)
}

/// Gives a line back.
pub fn release(words: &mut [u64], line: u32) {
    let (word, bit) = place(line);
    if let Some(word) = words.get_mut(word) {
        *word &= !bit;
    }
}

/// A free line, looked for from line `from` on and around; `None` if all are in use. Full words are passed over whole.
pub fn find_free(words: &[u64], count: u32, from: u32) -> Option<u32> {
    let from = if from < count { from } else { 0 };
    first_free(words, from, count).or_else(|| first_free(words, 0, from))
}

/// The first free line of `from..end`.
fn first_free(words: &[u64], from: u32, end: u32) -> Option<u32> {
    let mut line = from;
    while line < end {
        let (word, bit) = place(line);
        // Lines below this one count as taken.
        let taken = words.get(word).copied()? | bit.wrapping_sub(1);
        let base = line & !(u64::BITS - 1);
        let free = base.saturating_add(taken.trailing_ones());
        if taken != u64::MAX {
            return Some(free).filter(|&free| free < end);
        }
        line = base.saturating_add(u64::BITS);
    }
    None
}

/// Word and bit of a line.
fn place(line: u32) -> (usize, u64) {
    ((line / u64::BITS) as usize, 1 << (line % u64::BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec;

    #[test]
    fn one_call_a_line() {
        let mut words = [0; 1];
        assert!(take(&mut words, 4, 3));
        assert!(!take(&mut words, 4, 3));
        assert!(!take(&mut words, 4, 4));
        release(&mut words, 3);
        assert!(take(&mut words, 4, 3));
        assert!(!take(&mut words, 4, u32::MAX));
    }

    #[test]
    fn the_search_goes_around() {
        let mut words = [0; 2];
        for line in 60..70 {
            assert!(take(&mut words, 70, line));
        }
        assert_eq!(find_free(&words, 70, 60), Some(0));
        assert_eq!(find_free(&words, 70, 59), Some(59));
        assert_eq!(find_free(&words, 70, 1000), Some(0));
        assert_eq!(find_free(&[], 0, 0), None);
    }

    proptest! {
        #[test]
        fn as_a_set(count in 1_u32..200, steps in prop::collection::vec((0_u32..220, any::<bool>()), 0..300)) {
            let mut lines = vec![0; super::words(count) as usize];
            let mut model = BTreeSet::new();
            for (line, give_back) in steps {
                if give_back && line < count {
                    release(&mut lines, line);
                    model.remove(&line);
                } else {
                    prop_assert_eq!(take(&mut lines, count, line), line < count && model.insert(line));
                }
                let around = (line.min(count)..count).chain(0..count);
                let wanted = around.into_iter().find(|free| !model.contains(free));
                prop_assert_eq!(find_free(&lines, count, line), wanted);
            }
        }
    }
}
