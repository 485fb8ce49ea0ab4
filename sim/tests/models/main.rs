//! The simulator's model of each card against QEMU's: both are told the same, and whatever they answer differently is
//! either known, with a reason, or a failure. Skipped where QEMU is not installed.
//!
//! `cargo test -p ndis-sim --test models -- --nocapture` prints every difference.

#![allow(clippy::cast_possible_truncation, reason = "addresses and lengths here are small")]

mod bench;
mod known;
mod script;

use bench::{Bench, Note};
use ndis_sim::{
    nic::{E1000, Faults, Model},
    qemu::{Card, Correction, Fidelity, StartError},
};

const MAC: [u8; 6] = [0x02, 0x10, 0x20, 0x30, 0x40, 0x50];

/// What one script made the two note differently.
struct Difference {
    at: String,
    ours: String,
    qemu: String,
}

/// Tells both the same; what was noted by either and not by the other alike.
fn compare(model: Model, card: Card, name: &str, script: fn(&mut Bench)) -> Vec<Difference> {
    let mut ours = Bench::new(model, Box::new(E1000::new(model, MAC, Faults::default())));
    let mut qemu = Bench::new(model, Box::new(card));
    script(&mut ours);
    script(&mut qemu);
    let (ours, qemu) = (ours.notes(), qemu.notes());
    let labels = |notes: &[Note]| notes.iter().map(|note| note.label.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&ours), labels(&qemu), "{name} takes the same steps with both");
    assert!(!ours.is_empty(), "{name} notes something");
    let different = ours.into_iter().zip(qemu).filter(|(ours, qemu)| ours.value != qemu.value);
    different
        .map(|(ours, qemu)| Difference {
            at: format!("{name}/{}", ours.label),
            ours: ours.value,
            qemu: qemu.value,
        })
        .collect()
}

/// A card played by QEMU, unless that is not installed.
fn start(model: Model, fidelity: &Fidelity) -> Option<Card> {
    match Card::start(model, MAC, fidelity.clone()) {
        Err(missing @ StartError::Missing) => {
            eprintln!("skipped: {missing}");
            None
        }
        card => Some(card.expect("QEMU plays every model")),
    }
}

fn models_agree(model: Model) {
    let (fidelity, known) = (Fidelity::default(), known::DIFFERENCES);
    let mut unused: Vec<_> = known.iter().filter(|known| known.models.contains(&model)).collect();
    let mut unknown = Vec::new();
    let mut version = String::new();
    for (name, script) in script::ALL {
        let Some(card) = start(model, &fidelity) else { return };
        card.version().clone_into(&mut version);
        for difference in compare(model, card, name, *script) {
            let Difference { at, ours, qemu } = &difference;
            let reason = known.iter().find(|known| known.models.contains(&model) && known.covers(at));
            let why = reason.map_or("UNKNOWN", |reason| reason.why);
            println!("{model} {at}\n    ours {ours}\n    QEMU {qemu}\n    {why}");
            match reason {
                Some(reason) => unused.retain(|entry| entry.at != reason.at),
                None => unknown.push(format!("{at}: ours {ours}, QEMU {qemu}")),
            }
        }
    }
    assert!(unknown.is_empty(), "{model}, QEMU {version}:\n{}", unknown.join("\n"));
    let unused: Vec<_> = unused.iter().map(|known| known.at).collect();
    // Other versions of QEMU have fewer differences, or others.
    assert!(unused.is_empty() || !version.starts_with("7.2."), "{model}: no difference at {unused:?}");
}

#[test]
fn models_of_the_82540em_agree() {
    models_agree(Model::I82540em);
}

#[test]
fn models_of_the_82545em_agree() {
    models_agree(Model::I82545em);
}

#[test]
fn models_of_the_82574l_agree() {
    models_agree(Model::I82574l);
}

/// Each correction makes a difference go away that would be there without it.
#[test]
fn corrections_are_needed() {
    for (correction, model, name) in [
        (Correction::Reset, Model::I82540em, "reset"),
        (Correction::Reset, Model::I82574l, "reset"),
        (Correction::Link, Model::I82540em, "no-link"),
        (Correction::Link, Model::I82574l, "link"),
        (Correction::LongFrames, Model::I82545em, "length"),
        (Correction::LongFrames, Model::I82574l, "length"),
        (Correction::Overrun, Model::I82540em, "receive"),
        (Correction::Padding, Model::I82540em, "transmit"),
        (Correction::Padding, Model::I82574l, "transmit"),
        (Correction::PowerState, Model::I82574l, "configuration"),
        (Correction::Semaphore, Model::I82574l, "reset"),
    ] {
        let Some(card) = start(model, &Fidelity::default().without(correction)) else { return };
        let old = card.version().starts_with("7.2.");
        let (_, script) =
            script::ALL.iter().find(|(known, _)| *known == name).expect("a script of that name");
        let differences = compare(model, card, name, *script);
        let is_known = |at: &str| known::DIFFERENCES.iter().any(|known| known.covers(at));
        let new: Vec<_> = differences.iter().filter(|difference| !is_known(&difference.at)).collect();
        println!("{model} without {correction:?}: {:?}", new.iter().map(|new| &new.at).collect::<Vec<_>>());
        // Later versions need fewer.
        assert!(!new.is_empty() || !old, "{correction:?} changes nothing in {name} of the {model}");
    }
}
