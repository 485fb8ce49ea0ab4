//! Calls that come up, and what the client can do with them.

use ndis_sim::{
    ndis::{Family, status},
    nic::Model,
};
use scenarios::{
    Card, seeds, some_of,
    stories::{self, SIZES},
    wires::Pass,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];

/// Every card with every family.
fn everywhere() -> impl Iterator<Item = (u64, Model, u32)> {
    let pairs = Model::ALL.into_iter().flat_map(|model| FAMILIES.map(|family| (model, family)));
    (1..).zip(pairs).map(|(seed, (model, family))| (seed, model, family))
}

// covers: SEQ:outgoing-call, CmCreateVc, CmMakeCall, CmCloseCall, CmDeleteVc, MiniportCoSendNetBufferLists
// covers: MiniportReturnNetBufferLists, MiniportMessageInterrupt, MiniportMessageInterruptDPC
// covers: NdisMCmActivateVc, NdisMCmDeactivateVc, NdisMCmMakeCallComplete, NdisMCmCloseCallComplete
#[test]
fn a_call_on_every_card_and_family_carries_frames_of_every_size() {
    for (seed, model, family) in everywhere() {
        stories::calls(seed, Card::new(model), family, 1, SIZES.to_vec(), 40).clean();
    }
}

// covers: RFC2516:6
#[test]
fn frames_of_each_length_come_back() {
    let sizes: Vec<usize> = (42..=1494).step_by(11).collect();
    stories::calls(11, Card::new(Model::I82574l), Family::TAPI_PROXY, 1, sizes, 3).clean();
}

#[test]
fn one_to_sixteen_calls_are_up_at_once() {
    for calls in some_of(1..=16, 7) {
        let model = Model::ALL[calls % 3];
        let family = FAMILIES[calls % 2];
        stories::calls(calls as u64, Card::new(model), family, calls, vec![42, 700, 1494], 8).clean();
    }
}

// covers: SEQ:vc-reused
#[test]
fn a_vc_serves_several_calls() {
    for (seed, model, family) in everywhere() {
        stories::vc_used_again(seed, Card::new(model), family).clean();
    }
}

// covers: SEQ:close-with-data-in-flight, MiniportReturnNetBufferLists
#[test]
fn frames_under_way_do_not_survive_their_call() {
    for (seed, model, family) in everywhere() {
        stories::closed_under_way(seed, Card::new(model), family).clean();
    }
}

// covers: SEQ:close-while-connecting, CmCloseCall
#[test]
fn a_client_may_give_up_at_any_stage() {
    for (seed, model, family) in everywhere() {
        let stages =
            [(Pass::Nothing, 1), (Pass::Offers, 1), (Pass::Nothing, 3_000_000), (Pass::Offers, 3_000_000)];
        for (pass, after) in some_of(stages, 3) {
            let run = stories::cancelled(seed, Card::new(model), family, pass, after);
            // The gate drops the PADS: the peer has a session of which the host never heard.
            let status = if pass == Pass::Offers { run.clean_but_for_sessions() } else { run.clean() };
            assert_eq!(status, status::REQUEST_ABORTED, "{model}, {pass:?}");
        }
    }
}

// covers: SEQ:close-races-connect, CmCloseCall
#[test]
fn a_client_may_give_up_while_the_call_comes_up() {
    // From the PADI to the PADS and a little beyond; the session may be up or not when the close comes.
    for seed in seeds(60) {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        let run = stories::cancelled(seed, Card::new(model), Family::TAPI_PROXY, Pass::Everything, 700);
        let status = run.clean();
        assert!([status::SUCCESS, status::REQUEST_ABORTED].contains(&status), "{}", status::name(status));
    }
}

// covers: RFC2516:5.5
#[test]
fn a_session_that_comes_too_late_is_terminated() {
    for (seed, model, family) in everywhere() {
        stories::cancelled_before_confirmation(seed, Card::new(model), family).clean();
    }
}
