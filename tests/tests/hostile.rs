//! Two hundred seeds of calls over a cable that loses, repeats and delays discovery frames.

use ndis_sim::{ndis::Family, nic::Model};
use scenarios::{Card, some_of, stories};

/// Seeds, in four tests that run side by side.
fn seeds(from: u64) {
    for seed in some_of((from..200).step_by(4), 17) {
        let model = Model::ALL[usize::try_from(seed / 4 % 3).expect("small")];
        let family = if seed % 8 < 4 { Family::TAPI_PROXY } else { Family::PPP };
        let run = stories::hostile(seed, Card::new(model), family);
        let blemishes = run.blemishes();
        assert!(blemishes.is_empty(), "seed {seed}, {model}: {blemishes:#?}");
        assert!(run.value.is_some(), "seed {seed}, {model}: no end");
    }
}

#[test]
fn first_fifty_seeds_end_clean() {
    seeds(0);
}

#[test]
fn second_fifty_seeds_end_clean() {
    seeds(1);
}

#[test]
fn third_fifty_seeds_end_clean() {
    seeds(2);
}

#[test]
fn fourth_fifty_seeds_end_clean() {
    seeds(3);
}
