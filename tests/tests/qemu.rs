//! The driver on QEMU's models of the cards, which nobody here wrote. Skipped where QEMU is not installed.

use ndis_sim::{
    ndis::Family,
    nic::Model,
    qemu::{self, Fidelity, StartError},
    wire::access_concentrator::HangUp,
};
use scenarios::{
    Card,
    stories::{self, SIZES},
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];

/// A card that QEMU plays.
fn card(model: Model) -> Card {
    Card::new(model).played_by(|model, mac| {
        let card = qemu::Card::start(model, mac, Fidelity::default());
        Box::new(card.expect("QEMU plays every model"))
    })
}

/// The same with its line instead of messages.
fn line_card() -> Card {
    Card { messages: false, ..card(Model::I82574l) }
}

/// Whether there is a QEMU; says so if not.
fn installed() -> bool {
    match qemu::Card::start(Model::I82540em, [2; 6], Fidelity::default()) {
        Err(missing @ StartError::Missing) => {
            eprintln!("skipped: {missing}");
            false
        }
        _ => true,
    }
}

#[test]
fn calls_on_every_card_and_family_carry_frames_of_every_size() {
    if !installed() {
        return;
    }
    for model in Model::ALL {
        for (seed, family) in (1..).zip(FAMILIES) {
            let run = stories::calls(seed, card(model), family, 3, SIZES.to_vec(), 40);
            let granted = if model == Model::I82574l { "messages granted" } else { "line granted" };
            assert!(run.has_step(granted), "{model}: {granted}");
            run.clean();
        }
    }
}

#[test]
fn calls_on_the_line_of_an_82574l() {
    if !installed() {
        return;
    }
    let run = stories::calls(3, line_card(), Family::TAPI_PROXY, 3, SIZES.to_vec(), 40);
    assert!(run.has_step("line granted"));
    run.clean();
}

#[test]
fn lost_links_are_told() {
    if !installed() {
        return;
    }
    for model in Model::ALL {
        for connected in [false, true] {
            // No PADT gets through.
            stories::link_lost(4, card(model), Family::TAPI_PROXY, connected).clean_but_for_sessions();
        }
    }
    stories::link_lost(5, line_card(), Family::PPP, true).clean_but_for_sessions();
}

#[test]
fn adapters_pause_sleep_and_are_pulled_out() {
    if !installed() {
        return;
    }
    for model in Model::ALL {
        stories::paused(6, card(model), Family::TAPI_PROXY).clean();
        stories::slept(7, card(model), Family::TAPI_PROXY).clean();
        stories::pulled_out(8, card(model), Family::TAPI_PROXY).clean_but_for_sessions();
    }
}

#[test]
fn calls_end_from_both_sides() {
    if !installed() {
        return;
    }
    for model in Model::ALL {
        let span = std::time::Duration::from_millis(5);
        let hang_up = HangUp { after: std::time::Duration::ZERO, before: span };
        stories::ended_by_peer(9, card(model), Family::TAPI_PROXY, hang_up, false).clean();
        stories::vc_used_again(10, card(model), Family::PPP).clean();
        stories::closed_under_way(11, card(model), Family::TAPI_PROXY).clean();
    }
}

#[test]
fn hostile_networks_leave_nothing_behind() {
    if !installed() {
        return;
    }
    for model in Model::ALL {
        for seed in 0..5 {
            let run = stories::hostile(seed, card(model), Family::TAPI_PROXY);
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "seed {seed}, {model}: {blemishes:#?}");
        }
    }
}
