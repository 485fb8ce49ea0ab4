//! The fixed set of stories that every damaged driver has to fail one of.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{Family, status, wait_for},
    nic::{Fault, Model},
    wire::{
        access_concentrator::{HangUp, Mode},
        host::{CallState, Control, Dial},
    },
};

use crate::{
    Answer, Caller, Card, Run, Setup,
    caller::PATIENCE,
    credits, hangs, lab,
    office::{self, Office},
    station::exchange,
    stories::{self, SIZES},
    wires::{Pass, gated},
};

/// A story of the set.
pub struct Story {
    /// What it is called.
    pub name: &'static str,
    tell: fn() -> Vec<Blemish>,
}

/// What a story found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blemish {
    /// Identifier of the rule, or "leak", "stopped", "session" or "assertion".
    pub rule: String,
    /// What happened.
    pub detail: String,
}

impl Story {
    /// Tells the story.
    pub fn tell(&self) -> Vec<Blemish> {
        catch_unwind(AssertUnwindSafe(self.tell)).unwrap_or_else(|panic| {
            vec![Blemish { rule: "assertion".to_owned(), detail: message(&*panic).to_owned() }]
        })
    }
}

fn message(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

fn blemishes<T>(run: &Run<T>) -> Vec<Blemish> {
    let blemish = |rule: &str, detail: &str| Blemish { rule: rule.to_owned(), detail: detail.to_owned() };
    let findings = run.findings.iter().map(|it| blemish(&it.rule, &it.detail));
    let leaks = run.leaks.iter().map(|leak| blemish("leak", leak));
    let stopped = run.stopped.iter().map(|reason| blemish("stopped", reason));
    let stolen = format!("{} frames without credits", run.violations);
    let stolen = (run.violations != 0).then(|| blemish("assertion", &stolen));
    findings.chain(leaks).chain(stopped).chain(stolen).collect()
}

/// The same, and sessions at the peer without a PADT.
fn strict<T>(run: &Run<T>) -> Vec<Blemish> {
    let session = |id: &u16| Blemish { rule: "session".to_owned(), detail: format!("{id:#06x} got no PADT") };
    blemishes(run).into_iter().chain(run.sessions.iter().map(session)).collect()
}

fn card() -> Card {
    Card::new(Model::I82574l)
}

fn line_card() -> Card {
    Card::new(Model::I82540em)
}

/// Starts a card that cannot be started; nothing must be left, and an entry in the error log.
pub fn failing_start(fail: Option<FailPlan>, faults: Vec<Fault>) -> Run<bool> {
    let (card, lever) = gated(Card { faults, ..card() }, Pass::Everything);
    lab::run(Setup { fail, ..Setup::new(1, card) }, move |lab| {
        let Ok(driver) = lab.try_load() else { return false };
        let adapter = lab.adapter(&driver, 0);
        let started = adapter.start().is_ok();
        if started {
            adapter.halt(ndis_sim::ndis::HaltAction::DeviceDisabled);
        }
        // A card that was not stopped has a link after a while, and receives into memory that is gone.
        lab::sleep(Duration::from_secs(4));
        lever.inject(stories::strange_padi());
        lab::sleep(Duration::from_millis(20));
        driver.unload();
        started
    })
}

/// A failure at each step of `MiniportInitializeEx`.
fn failing_starts() -> Vec<Blemish> {
    const STEPS: [(&str, u64); 10] = [
        ("NdisMSetMiniportAttributes", 1),
        ("NdisMRegisterScatterGatherDma", 0),
        ("NdisMAllocateSharedMemory", 1),
        ("NdisMAllocateSharedMemory", 4),
        ("NdisAllocateNetBufferListPool", 0),
        ("NdisAllocateMdl", 7),
        ("NdisAllocateTimerObject", 0),
        ("NdisMRegisterInterruptEx", 0),
        ("NdisMCmRegisterAddressFamilyEx", 0),
        ("NdisOpenConfigurationEx", 0),
    ];
    let planned = STEPS.map(|(name, nth)| failing_start(Some(FailPlan::Named(name, nth)), Vec::new()));
    let broken = [Fault::EepromChecksum, Fault::PhySilent, Fault::ResetStuck]
        .map(|fault| failing_start(None, vec![fault]));
    let silent = |run: &Run<bool>| {
        let silent = run.value == Some(false) && !run.has_step("logs error");
        let detail = "a failed start without an entry in the error log".to_owned();
        silent.then(|| Blemish { rule: "assertion".to_owned(), detail })
    };
    planned.iter().chain(&broken).flat_map(|run| blemishes(run).into_iter().chain(silent(run))).collect()
}

/// `DriverEntry` fails.
fn failing_entry() -> Vec<Blemish> {
    ["NdisMRegisterMiniportDriver", "NdisSetOptionalHandlers"]
        .map(|name| failing_start(Some(FailPlan::Named(name, 0)), Vec::new()))
        .iter()
        .flat_map(blemishes)
        .collect()
}

fn refusals() -> Vec<Blemish> {
    let mut found = Vec::new();
    for (mode, wanted) in crate::set::REFUSALS {
        let run = stories::refused(1, card(), Family::TAPI_PROXY, mode);
        found.extend(strict(&run));
        if run.value.is_some_and(|status| status != wanted) {
            let detail = format!("{mode:?} ends with another status");
            found.push(Blemish { rule: "assertion".to_owned(), detail });
        }
    }
    found
}

/// What a client is told when the peer refuses.
pub const REFUSALS: [(Mode, i32); 4] = {
    [
        (Mode::ServiceNameError, status::TAPI_DISCONNECTMODE_BADADDRESS),
        (Mode::AcSystemError, status::TAPI_DISCONNECTMODE_CONGESTION),
        (Mode::GenericError, status::TAPI_DISCONNECTMODE_REJECT),
        (Mode::Silent, status::TAPI_DISCONNECTMODE_NOANSWER),
    ]
};

fn cancels() -> Vec<Blemish> {
    let early = stories::cancelled(1, card(), Family::TAPI_PROXY, Pass::Nothing, 100);
    let late = stories::cancelled(2, card(), Family::PPP, Pass::Offers, 100);
    let latest = stories::cancelled_before_confirmation(3, card(), Family::TAPI_PROXY);
    [blemishes(&early), blemishes(&late), strict(&latest)].concat()
}

/// By its peer: a little after it came up, and at the very moment it comes up.
fn ended_by_peer() -> Vec<Blemish> {
    let millis = Duration::from_millis;
    let later = HangUp { after: millis(2), before: millis(8) };
    let at_once = HangUp { after: millis(0), before: millis(0) };
    (1..4)
        .flat_map(|seed| {
            let run = stories::ended_by_peer(seed, card(), Family::TAPI_PROXY, later, seed == 2);
            let at_once = stories::ended_by_peer(seed, line_card(), Family::PPP, at_once, seed == 3);
            [strict(&run), strict(&at_once)].concat()
        })
        .collect()
}

/// Sooner than a host asks again.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A call that comes in, as the client answers it.
fn incoming(answer: Answer, told: impl FnOnce(&Office) + Send + 'static) -> Vec<Blemish> {
    let control = Control::new();
    let setup = Setup::new(1, office::card(Model::I82574l, &control));
    strict(&office::story(setup, &control, Family::TAPI_PROXY, answer, told))
}

/// Calls that come in: taken and ended by the client and by the host, and refused.
fn incoming_calls() -> Vec<Blemish> {
    let taken = incoming(Answer::Elsewhere(status::SUCCESS), |office| {
        let start = Machine::current().now();
        let (call, vc) = office.connected(Dial::default());
        assert!(Machine::current().now() < start + AT_ONCE, "the host has to ask again");
        assert!(exchange(std::slice::from_ref(&vc), &[512], 10), "frames of the call");
        Office::hang_up(&vc);
        office.becomes(call, &CallState::EndedByPeer);
    });
    let changed = incoming(Answer::Inline(status::SUCCESS), |office| {
        office.station.caller.rate.set(Some(1_000_000));
        let (_, vc) = office.connected(Dial::default());
        Office::hang_up(&vc);
    });
    let ended = incoming(Answer::Now(status::SUCCESS), |office| {
        let (call, vc) = office.connected(Dial::default());
        office.control.hang_up(call);
        let record = crate::Record::of(&vc);
        assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the client is not told");
        assert!(Caller::hang_up(&vc), "the close does not end");
        office::gone(&record);
    });
    let refused = incoming(Answer::Now(status::NOT_ACCEPTED), |office| {
        let start = Machine::current().now();
        let (call, _, record) = office.ringing(Dial::default());
        assert!(matches!(office.settled(call).state, CallState::Refused(..)), "the host is not told");
        assert!(Machine::current().now() < start + AT_ONCE, "the host has to ask again");
        office::gone(&record);
    });
    [taken, changed, ended, refused].concat()
}

/// Cards that stop, for a while and for good.
fn hangs() -> Vec<Blemish> {
    let mut runs = vec![hangs::brought_back(1, card()), hangs::lost_messages(2, card())];
    for fault in [Fault::TransmitStuck, Fault::ResetStuck, Fault::Gone] {
        runs.push(hangs::given_up(3, line_card(), fault));
    }
    let silenced = hangs::silenced(4, card());
    runs.iter().flat_map(blemishes).chain(strict(&silenced)).collect()
}

/// The set.
pub const STORIES: &[Story] = &[
    Story {
        name: "calls by messages",
        // More frames than a card has buffers.
        tell: || strict(&stories::calls(1, card(), Family::TAPI_PROXY, 3, SIZES.to_vec(), 60)),
    },
    Story {
        name: "calls by line",
        tell: || strict(&stories::calls(2, line_card(), Family::PPP, 2, SIZES.to_vec(), 10)),
    },
    Story {
        name: "cancelled sends",
        tell: || strict(&stories::cancelled_sends(3, card(), Family::TAPI_PROXY)),
    },
    Story { name: "refused calls", tell: refusals },
    Story { name: "cancelled calls", tell: cancels },
    Story { name: "calls ended by the peer", tell: ended_by_peer },
    Story { name: "calls that come in", tell: incoming_calls },
    Story {
        name: "calls with credits",
        tell: || {
            [credits::exchanged(1), credits::starved(2), credits::unanswered(3)]
                .iter()
                .flat_map(strict)
                .collect()
        },
    },
    Story {
        name: "link lost",
        tell: || {
            let early = stories::link_lost(1, card(), Family::TAPI_PROXY, false);
            // A frame is seldom in the ring at the very moment.
            let late = |seed| blemishes(&stories::link_lost(seed, line_card(), Family::TAPI_PROXY, true));
            blemishes(&early).into_iter().chain((2..12).flat_map(late)).collect()
        },
    },
    Story { name: "VC used again", tell: || strict(&stories::vc_used_again(1, card(), Family::TAPI_PROXY)) },
    Story {
        name: "closed under way",
        tell: || strict(&stories::closed_under_way(1, card(), Family::TAPI_PROXY)),
    },
    Story {
        name: "pause and restart",
        tell: || {
            let busy = stories::paused(1, card(), Family::TAPI_PROXY);
            let held = stories::paused_with_frames_out(2, line_card(), Family::TAPI_PROXY);
            [strict(&busy), strict(&held)].concat()
        },
    },
    Story { name: "sleep and wake", tell: || strict(&stories::slept(1, card(), Family::TAPI_PROXY)) },
    Story {
        name: "pulled out",
        tell: || {
            (1..31).flat_map(|seed| blemishes(&stories::pulled_out(seed, card(), Family::PPP))).collect()
        },
    },
    Story { name: "halted while open", tell: || strict(&stories::halted_while_open(1, card())) },
    Story { name: "SAPs", tell: || strict(&stories::saps(1, card(), Family::TAPI_PROXY)) },
    Story { name: "shutdown", tell: || blemishes(&stories::shut_down(1, card())) },
    Story { name: "hangs", tell: hangs },
    Story {
        name: "halts at looks",
        tell: || hangs::halted_at_a_look(1, card).iter().flat_map(blemishes).collect(),
    },
    Story { name: "failing starts", tell: failing_starts },
    Story { name: "failing entry", tell: failing_entry },
    Story {
        name: "bad cable",
        tell: || {
            (1..9).flat_map(|seed| blemishes(&stories::hostile(seed, card(), Family::TAPI_PROXY))).collect()
        },
    },
];
