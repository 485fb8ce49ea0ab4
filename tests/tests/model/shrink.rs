//! Fewer steps that still fail.

/// The steps of these numbers.
pub(crate) fn chosen<T: Copy>(all: &[T], kept: &[usize]) -> Vec<T> {
    kept.iter().filter_map(|&number| all.get(number).copied()).collect()
}

/// Runs that a search may cost.
const RUNS: u32 = 400;

/// Numbers below `count` of as few as can be of which `fails` still says so: leaves out ever smaller parts, until
/// none can be spared.
pub(crate) fn smallest(count: usize, fails: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..count).collect();
    let mut part = kept.len().div_ceil(2);
    let mut runs = 0;
    while part > 0 {
        let mut spared = false;
        let mut at = 0;
        while at < kept.len() && runs < RUNS {
            let end = (at + part).min(kept.len());
            let rest = [&kept[..at], &kept[end..]].concat();
            runs += 1;
            if fails(&rest) {
                kept = rest;
                spared = true;
            } else {
                at = end;
            }
        }
        part = if spared && part == 1 { 1 } else { part / 2 };
        if runs >= RUNS {
            break;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_left() {
        let fails = |kept: &[usize]| kept.contains(&3) && kept.contains(&17);
        assert_eq!(smallest(40, fails), [3, 17]);
        assert_eq!(smallest(5, |_| true), [0_usize; 0]);
    }
}
