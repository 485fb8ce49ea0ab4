//! Takes the steps of a run.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{
        self, Contiguity, Course, Driver, Family, Flows, HaltAction, Limits, Readings, State, client,
        oid::OidRequest,
    },
    nic::{Board, Model},
};
use scenarios::{Card, Lab, Setup, lab};

use crate::{
    draw::Dice,
    op::{Op, Step},
    reference::Event,
    street::{Shared, Street},
    world::World,
};

const D0: u32 = 1;
const D3: u32 = 4;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What was wrong, one line each; none if all agree.
    pub(crate) faults: Vec<String>,
    /// The last events.
    pub(crate) history: String,
    /// Calls that came up.
    pub(crate) connected: u32,
    /// Changes of calls that succeeded.
    pub(crate) changed: u32,
    /// Virtual time.
    pub(crate) seconds: u64,
}

/// How NDIS reads its documents in the run of a seed.
pub(crate) fn readings(seed: u64) -> Option<Readings> {
    // Odd ones take what most pages say, and for others the machine draws.
    if seed % 4 != 2 {
        return (seed % 2 == 1).then(Readings::default);
    }
    let mut dice = Dice::new(seed ^ 0x0072_6561_6469_6e67);
    let courses = [Course::Returned, Course::Announced, Course::Inline, Course::Later, Course::Drawn];
    Some(Readings {
        activation: dice.pick(&courses),
        deactivation: dice.pick(&courses),
        miniport_vc_handlers: dice.below(2) == 0,
        every_answer_completed: dice.below(2) == 0,
        one_address_family: dice.below(4) == 0,
        halt_unpaused: dice.below(2) == 0,
        serial_co_oids: dice.below(2) == 0,
        receive_limits: dice.pick(&[Limits::Never, Limits::Sometimes, Limits::Always]),
        more_pending_ignored: dice.below(2) == 0,
        proxy_flows: dice.pick(&[
            Flows::Given,
            Flows::Absent,
            Flows::OldSpeed,
            Flows::Nonsense,
            Flows::Drawn,
        ]),
        wan_does_not_ask: dice.below(2) == 0,
        wan_wants_framing: dice.below(2) == 0,
        memory: dice.pick(&[Contiguity::Whole, Contiguity::Seldom(0x2000), Contiguity::Never(0x1000)]),
        board: Board {
            pci_x: dice.below(2) == 0,
            memory_reset: dice.below(2) == 0,
            aspm: dice.pick(&[0, 1, 2, 3]),
            mask_by_eiame: dice.below(2) == 0,
        },
    })
}

/// Runs `steps` with a seed for everything else.
pub(crate) fn run(seed: u64, readings: Option<Readings>, steps: &[Step]) -> Outcome {
    let shared = Shared::new(seed);
    let street = Street(shared.clone());
    let model = Model::ALL[usize::try_from(seed / 2 % 3).expect("small")];
    let card = Card::new(model).wrapped(move |_| Box::new(street));
    // Guard pages cost more than all the rest; some runs are enough to find what they find.
    let thorough = seed.is_multiple_of(8);
    let setup = Setup { readings, tick: None, windows: None, thorough, ..Setup::new(seed, card) };
    let (steps, inside) = (steps.to_vec(), shared.clone());
    let run = lab::run(setup, move |lab| {
        let driver = lab.load();
        let adapter = lab.adapter(&driver, 0);
        let slot = Rc::clone(&lab.place(0).slot);
        let unpaused = readings.is_some_and(|it| it.halt_unpaused);
        let world = World::new(seed, unpaused, inside, adapter, slot);
        live(lab, &driver, &world, &steps);
        Machine::current().now().as_secs()
    });
    let inner = shared.lock();
    let disagreement = inner.reference.disagreement().map(|it| format!("the reference: {it}"));
    let faults = disagreement.into_iter().chain(run.blemishes()).collect();
    Outcome {
        faults,
        history: inner.reference.history(60),
        connected: inner.reference.connected,
        changed: inner.reference.changed,
        seconds: run.value.unwrap_or(0),
    }
}

fn live(_lab: &Lab, driver: &Rc<Driver>, world: &Rc<World>, steps: &[Step]) {
    start(world);
    for step in steps {
        if world.shared.lock().reference.disagreement().is_some() {
            break;
        }
        lab::sleep(Duration::from_micros(step.after));
        let op = step.op;
        if step.apart && !matches!(op, Op::Rest { .. } | Op::NewLife | Op::Remove) {
            world.apart("step", move |world| take(world, op));
        } else {
            take(world, op);
        }
        if world.removed.get() {
            break;
        }
    }
    end(world);
    driver.unload();
}

/// Brings the adapter up, with its link.
fn start(world: &World) {
    // How a start fails is told elsewhere.
    starve(world, 0);
    world.tell(Event::Started);
    world.adapter.start().expect("MiniportInitializeEx succeeds");
    restart(world);
    lab::sleep(Duration::from_secs(5));
}

/// Everything is closed, by its clients or because the adapter halts under them.
fn end(world: &Rc<World>) {
    starve(world, 0);
    if !world.removed.get() && !world.seed.is_multiple_of(3) {
        rest(world, world.seed.is_multiple_of(5));
        let families = world.families.borrow().clone();
        for family in families {
            world.leave(&family);
        }
    }
    halt(world, if world.removed.get() { HaltAction::SurpriseRemoved } else { HaltAction::DeviceDisabled });
}

/// Does something of `PnP` or power, one at a time.
fn as_windows(world: &World, f: impl FnOnce()) {
    if world.windows.replace(true) {
        return;
    }
    f();
    world.windows.set(false);
    ndis::changed();
}

fn halt(world: &Rc<World>, action: HaltAction) {
    world.wait("what Windows does", || !world.windows.get());
    as_windows(world, || {
        if world.adapter.state() == State::Running && !world.halts_unpaused {
            pause(world);
        }
        if world.asleep.get() {
            wake(world);
        }
        // Those who ask the adapter itself have had their answers.
        world.wait("a thread", || world.threads.get() == 0);
        world.tell(Event::Halting);
        world.adapter.halt(action);
        world.wait("a thread", || world.threads.get() == 0);
        world.tell(Event::Halted);
    });
}

fn pause(world: &World) {
    world.tell(Event::Pausing);
    world.adapter.pause();
    world.tell(Event::Paused);
}

fn restart(world: &World) {
    world.adapter.restart().expect("MiniportRestart succeeds");
    world.tell(Event::Restarted);
}

fn wake(world: &World) {
    world.adapter.set_power(D0);
    world.tell(Event::Awake);
    world.asleep.set(false);
}

/// The nth of what there is.
fn nth<T: Clone>(of: &std::cell::RefCell<Vec<T>>, nth: u64) -> Option<T> {
    let of = of.borrow();
    let len = of.len() as u64;
    (len != 0).then(|| of[usize::try_from(nth % len).expect("an index")].clone())
}

fn take(world: &Rc<World>, op: Op) {
    let now = || Machine::current().now();
    match op {
        Op::Open { ppp } => {
            if world.families.borrow().len() < 5 {
                world.open(if ppp { Family::PPP } else { Family::TAPI_PROXY });
            }
        }
        Op::CloseFamily { nth: n, busy } => {
            if let Some(it) = nth(&world.families, n) {
                world.close_family(&it, busy);
                if it.leaving.get() && !it.closed.get() {
                    // A client that closes first has to go on soon.
                    world.apart("leaving client", move |world| {
                        lab::sleep(Duration::from_micros(n % 50_000));
                        world.leave(&it);
                    });
                }
            }
        }
        Op::Register { nth: n, good } => {
            if let Some(it) = nth(&world.families, n) {
                world.register(&it, good);
            }
        }
        Op::Deregister { nth: n } => {
            if let Some(it) = nth(&world.saps, n) {
                world.deregister(&it);
            }
        }
        Op::Create { nth: n } => {
            if let Some(it) = nth(&world.families, n) {
                world.create(&it);
            }
        }
        Op::Delete { nth: n } => with_vc(world, n, |vc| world.delete(vc)),
        Op::Call { nth: n, wish } => with_vc(world, n, |vc| world.dial(vc, wish)),
        Op::Close { nth: n } => with_vc(world, n, |vc| world.close(vc)),
        Op::Send { nth: n, frames, len } => with_vc(world, n, |vc| world.send(vc, frames, len)),
        Op::Dial => {
            let call = world.number();
            world.shared.lock().dial(now(), call);
            world.slot.look_at_wire();
        }
        Op::HangUp { nth: n } => with_call(world, n, |call| {
            world.shared.lock().hang_up(now(), call);
            world.slot.look_at_wire();
        }),
        Op::Forge { nth: n, what } => with_call(world, n, |call| {
            world.shared.lock().forge(now(), call, what);
            world.slot.look_at_wire();
        }),
        Op::Ask { nth: n } => ask(world, n),
        Op::Modify { nth: n, flow } => world.modify(n, flow),
        Op::Junk { nth: n, what, count } => {
            let call = some_call(world, n);
            world.shared.lock().junk(now(), call, what, count);
            world.slot.look_at_wire();
        }
        Op::Say { nth: n, what } => with_call(world, n, |call| {
            world.shared.lock().say(now(), call, what);
            world.slot.look_at_wire();
        }),
        Op::Starve { one_in } => starve(world, one_in),
        Op::Rest { long } => rest(world, long),
        Op::Link { .. } | Op::Pause | Op::Restart | Op::Sleep | Op::Wake | Op::NewLife | Op::Remove => {
            windows(world, op);
        }
    }
}

fn with_vc(world: &World, n: u64, f: impl FnOnce(&Rc<crate::world::VcSlot>)) {
    if let Some(vc) = nth(&world.vcs, n) {
        f(&vc);
    }
}

fn some_call(world: &World, n: u64) -> Option<u32> {
    let calls: Vec<u32> = world.shared.lock().reference.open_calls().collect();
    let len = calls.len() as u64;
    (len != 0).then(|| calls[usize::try_from(n % len).expect("an index")])
}

fn with_call(world: &World, n: u64, f: impl FnOnce(u32)) {
    if let Some(call) = some_call(world, n) {
        f(call);
    }
}

/// Has one in so many fallible calls fail, or none.
fn starve(world: &World, one_in: u8) {
    let starved = one_in != 0;
    if !starved && !world.starved.get() {
        return;
    }
    world.starved.set(starved);
    world.tell(Event::Starving { starved });
    Machine::current().set_failures(starved.then_some(FailPlan::Random(1, one_in.into())));
}

fn windows(world: &Rc<World>, op: Op) {
    if op == Op::NewLife {
        halt(world, HaltAction::DeviceDisabled);
        return start(world);
    }
    let state = world.adapter.state();
    as_windows(world, || match op {
        Op::Link { up } => {
            world.tell(Event::Link { up });
            world.slot.set_link(up);
        }
        Op::Pause if state == State::Running => pause(world),
        Op::Restart if state == State::Paused && !world.asleep.get() => restart(world),
        Op::Sleep if !world.asleep.get() => {
            if state == State::Running {
                pause(world);
            }
            world.tell(Event::FallingAsleep);
            world.adapter.set_power(D3);
            world.asleep.set(true);
            world.tell(Event::Asleep);
        }
        Op::Wake if world.asleep.get() => {
            wake(world);
            restart(world);
        }
        Op::Remove => {
            world.tell(Event::Removed);
            world.removed.set(true);
            world.adapter.surprise_remove();
        }
        _ => {}
    });
}

/// Asks for something on each path.
fn ask(world: &World, n: u64) {
    let (adapter, vc) = (&world.adapter, nth(&world.vcs, n));
    let Some(family) = nth(&world.families, n).filter(|it| it.open.get() && !it.leaving.get()) else {
        return;
    };
    let _ = vc;
    family.users.set(family.users.get() + 1);
    match n / 7 % 3 {
        0 => adapter.oid_request(OidRequest::query(0x0001_0104, 4)),
        1 => client::co_oid_request(adapter, None, OidRequest::query(0x0401_0180, 16)),
        _ => family.ask(OidRequest::query(0xFE00_1001, 12)),
    };
    family.users.set(family.users.get() - 1);
    ndis::changed();
}

/// Waits until all has come to rest; what must have happened has.
fn rest(world: &World, long: bool) {
    world.wait("a thread", || world.threads.get() == 0);
    lab::sleep(Duration::from_secs(if long { 150 } else { 3 }));
    world.shared.lock().reference.rest(Machine::current().now());
}
