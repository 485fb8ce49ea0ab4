//! Pause, restart, sleep, removal, shutdown and halt, with calls up.

use ndis_sim::{ndis::Family, nic::Model};
use scenarios::{Card, cannot_on_qemu, hangs, seeds, stories};

fn each_card(count: u64, story: impl Fn(u64, Card, u32)) {
    for seed in seeds(count) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let family = if seed % 2 == 0 { Family::TAPI_PROXY } else { Family::PPP };
        story(seed, Card::new(model), family);
    }
}

// covers: MiniportPause, MiniportRestart, SEQ:pause-restart
#[test]
fn calls_survive_a_pause() {
    each_card(12, |seed, card, family| stories::paused(seed, card, family).clean());
}

// covers: MiniportPause, MiniportReturnNetBufferLists
#[test]
fn a_pause_waits_for_frames_that_the_client_keeps() {
    each_card(6, |seed, card, family| stories::paused_with_frames_out(seed, card, family).clean());
}

// covers: MiniportCancelSend
#[test]
fn sends_are_cancelled_by_their_id() {
    each_card(6, |seed, card, family| stories::cancelled_sends(seed, card, family).clean());
}

// covers: SEQ:sleep-wake, OID_PNP_SET_POWER@miniport
#[test]
fn sleep_ends_calls_and_new_ones_work_after_it() {
    each_card(6, |seed, card, family| stories::slept(seed, card, family).clean());
}

// covers: SEQ:surprise-removal, MiniportDevicePnPEventNotify
#[test]
fn a_card_is_pulled_out_at_any_moment() {
    // No PADT leaves a card that is gone.
    each_card(60, |seed, card, family| stories::pulled_out(seed, card, family).clean_but_for_sessions());
}

// covers: SEQ:halt-with-open-afs, NdisMCmNotifyCloseAddressFamily, MiniportHaltEx, CmCloseAf
#[test]
fn clients_are_asked_to_leave_a_halting_adapter() {
    each_card(6, |seed, card, _| stories::halted_while_open(seed, card).clean());
}

// covers: MiniportShutdownEx
#[test]
fn a_card_is_silent_after_shutdown() {
    each_card(3, |seed, card, _| stories::shut_down(seed, card).clean_but_for_sessions());
}

// covers: MiniportHaltEx
#[test]
fn timers_may_expire_while_they_are_freed() {
    if cannot_on_qemu("no two halts take the same time") {
        return;
    }
    for (seed, model) in (1..).zip(Model::ALL) {
        for run in hangs::halted_at_a_look(seed, || Card::new(model)) {
            run.clean();
        }
    }
}
