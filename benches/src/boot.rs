//! The driver brought up in the simulator, with calls made and the data path at rest.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ndis_sim::clients::ppp;
use ndis_sim::image::Image;
use ndis_sim::machine::{Config, Machine};
use ndis_sim::ndis::client::{self, Client};
use ndis_sim::ndis::parameters::CallParameters;
use ndis_sim::ndis::status::{self, Status};
use ndis_sim::ndis::{
    self, Adapter, AddressFamily, Driver, DriverEntry, Family, HaltAction, Indication, Keywords, Sap, Value,
    Vc, wait_for,
};
use ndis_sim::nic::{E1000, Faults, Model};
use ndis_sim::nt;
use ndis_sim::pci::Slot;

use crate::captured::{Captured, captured, listen};
use crate::wire::Concentrator;

/// The card's address.
pub(crate) const STATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// Virtual time for what takes a card or a peer its time.
const PATIENCE: Duration = Duration::from_mins(2);
/// Virtual time in which everything comes to rest.
const REST: Duration = Duration::from_millis(50);
/// Calls made at once: fewer than a ring has descriptors.
const AT_ONCE: usize = 128;
/// Lines that an adapter may have at most, and calls that come in.
const MOST_LINES: usize = 65_534;
/// `NDIS_STATUS_LINK_STATE`, and `MediaConnectStateConnected` at its offset in the data.
const LINK_STATE: u32 = 0x4001_0017;
const CONNECTED: (usize, u8) = (4, 1);

/// What a measurement is given.
pub(crate) struct Booted {
    /// The driver's image.
    pub(crate) image: Rc<Image>,
    /// Its entry points and contexts, and its VCs, each with a call that is up.
    pub(crate) captured: Captured,
}

/// A client that counts.
#[derive(Default)]
struct Caller {
    me: std::rc::Weak<Self>,
    af: RefCell<Option<Rc<AddressFamily>>>,
    opened: Cell<Option<Status>>,
    gone: Cell<bool>,
    listens: Cell<bool>,
    deaf: Cell<bool>,
    link: Cell<bool>,
    made: Cell<usize>,
    failed: Cell<usize>,
    closed: Cell<usize>,
}

fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
    ndis::changed();
}

impl Client for Caller {
    fn name(&self) -> &'static str {
        "benchmark"
    }

    fn family_registered(&self, adapter: &Rc<Adapter>, family: Family) {
        let Some(me) = self.me.upgrade().filter(|_| family.family == Family::PPP) else { return };
        let me: Rc<dyn Client> = me;
        let (status, af) = client::open_address_family(adapter, family, &me);
        self.af.replace(Some(af));
        if status != status::PENDING {
            self.opened.set(Some(status));
        }
    }

    fn open_complete(&self, _af: &Rc<AddressFamily>, status: Status) {
        self.opened.set(Some(status));
        ndis::changed();
    }

    fn close_complete(&self, _af: &Rc<AddressFamily>) {
        self.gone.set(true);
        ndis::changed();
    }

    fn register_sap_complete(&self, _sap: &Rc<Sap>, _status: Status) {
        self.listens.set(true);
        ndis::changed();
    }

    fn deregister_sap_complete(&self, _sap: &Rc<Sap>) {
        self.deaf.set(true);
        ndis::changed();
    }

    fn make_call_complete(&self, _vc: &Rc<Vc>, status: Status, _parameters: &CallParameters) {
        count(if status == status::SUCCESS { &self.made } else { &self.failed });
    }

    fn close_call_complete(&self, _vc: &Rc<Vc>, _status: Status) {
        count(&self.closed);
    }

    fn status(&self, _adapter: &Rc<Adapter>, _vc: Option<&Rc<Vc>>, indication: &Indication) {
        if indication.code == LINK_STATE {
            self.link.set(indication.data.get(CONNECTED.0) == Some(&CONNECTED.1));
            ndis::changed();
        }
    }
}

/// What the driver is busy with while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// So many calls are up.
    Calls(usize),
    /// Nothing; its client takes calls to any service.
    Idle,
}

/// Boots the driver with a load, runs `measure` in a kernel thread of the machine, takes everything down again, and
/// fails if the simulator has found anything.
pub(crate) fn with_driver<R: 'static>(
    sys: &Path,
    load: Load,
    measure: impl FnOnce(&Booted) -> Result<R> + 'static,
) -> Result<R> {
    // One processor, no log, no guard pages: the driver's memory lies as close together as on Windows.
    let machine = Machine::new(Config { seed: 1, cpus: 1, log: false, guard: false, ..Config::default() });
    let exports = listen([nt::exports(), ndis::exports()].concat());
    let image = Rc::new(Image::open(sys, &exports).with_context(|| format!("loading {}", sys.display()))?);
    machine.set_image(Some(Rc::clone(&image)));
    let slot = Slot::new(
        Box::new(E1000::new(Model::I82574l, STATION, Faults::default())),
        Box::new(Concentrator::default()),
        None,
    );
    slot.is_played_elsewhere();
    let result = Rc::new(RefCell::new(None));
    let (out, loaded, card) = (Rc::clone(&result), Rc::clone(&image), Rc::clone(&slot));
    let thread = machine.spawn("benchmark", move || {
        out.replace(Some(run(&loaded, &card, load, measure)));
    });
    let ended = machine.join(thread);
    let result = result.take();
    nt::audit_unload(&machine);
    let findings = machine.verifier().findings();
    slot.detach();
    machine.set_image(None);
    if let Err(stuck) = ended {
        bail!("the machine is stuck: {stuck}");
    }
    let result = result.context("the machine's thread ended early")??;
    if let Some(finding) = findings.first() {
        bail!("{} findings, the first: {finding}", findings.len());
    }
    Ok(result)
}

fn run<R>(
    image: &Rc<Image>,
    slot: &Rc<Slot>,
    load: Load,
    measure: impl FnOnce(&Booted) -> Result<R>,
) -> Result<R> {
    // SAFETY: the loader has mapped and bound the image, and the entry point of a driver image is its DriverEntry, of this
    // type. The image stays mapped for as long as the machine.
    let entry = unsafe { std::mem::transmute::<usize, DriverEntry>(image.entry_point()) };
    let calls = if let Load::Calls(calls) = load { calls } else { 0 };
    let failed = |what: &str, status| anyhow::anyhow!("{what} failed: {}", status::name(status));
    let driver = Driver::load("mcm", entry).map_err(|status| failed("DriverEntry", status))?;
    let lines = if load == Load::Idle { MOST_LINES } else { calls.clamp(4, MOST_LINES) };
    let endpoints = Value::Integer(u32::try_from(lines)?);
    let concentrator = ("Concentrator".to_owned(), Value::Integer(1));
    let keywords = Keywords::from([("WanEndpoints".to_owned(), endpoints), concentrator]);
    let adapter = Adapter::new(&driver, Some(Rc::clone(slot)), keywords, true);
    let caller = Rc::new_cyclic(|me| Caller { me: std::rc::Weak::clone(me), ..Caller::default() });
    let bound: Rc<dyn Client> = Rc::<Caller>::clone(&caller);
    adapter.bind(&bound);
    adapter.start().map_err(|status| failed("MiniportInitializeEx", status))?;
    adapter.restart().map_err(|status| failed("MiniportRestart", status))?;
    // A link that was up at the start is in the attributes, and no change that is indicated.
    let up =
        adapter.attributes().general().is_some_and(|it| it.media_connect_state == u32::from(CONNECTED.1));
    caller.link.set(caller.link.get() || up);
    let ready = wait_for(PATIENCE, || caller.opened.get() == Some(status::SUCCESS) && caller.link.get());
    ensure!(ready, "no link, or no address family");
    let af = caller.af.borrow().clone().context("no address family")?;
    let sap = if load == Load::Idle { Some(listen_for_calls(&caller, &af)?) } else { None };
    let vcs = dial(&caller, &af, calls)?;
    Machine::current().sleep(REST);
    let result = measure(&Booted { image: Rc::clone(image), captured: captured() });
    hang_up(&caller, &vcs)?;
    if let Some(sap) = sap
        && client::deregister_sap(&sap) == status::PENDING
    {
        ensure!(wait_for(PATIENCE, || caller.deaf.get()), "the SAP stays");
    }
    adapter.pause();
    if client::close_address_family(&af) == status::PENDING {
        ensure!(wait_for(PATIENCE, || caller.gone.get()), "the address family does not close");
    }
    drop(af);
    adapter.halt(HaltAction::DeviceDisabled);
    caller.af.take();
    driver.unload();
    result
}

/// Registers a SAP for calls to any service.
fn listen_for_calls(caller: &Caller, af: &Rc<AddressFamily>) -> Result<Rc<Sap>> {
    let (status, sap) = client::register_sap(af, ppp::TYPE, &ppp::sap(""));
    if status == status::PENDING {
        wait_for(PATIENCE, || caller.listens.get());
    }
    ensure!(sap.is_registered(), "no SAP");
    Ok(sap)
}

/// Makes the calls, some at a time.
fn dial(caller: &Caller, af: &Rc<AddressFamily>, calls: usize) -> Result<Vec<Rc<Vc>>> {
    let parameters = ppp::call(&ppp::Destination::default());
    let mut vcs = Vec::with_capacity(calls);
    while vcs.len() < calls {
        for _ in 0..AT_ONCE.min(calls - vcs.len()) {
            let (status, vc) = client::create_vc(af);
            ensure!(status == status::SUCCESS, "no VC: {}", status::name(status));
            let status = client::make_call(&vc, &parameters);
            ensure!(status == status::PENDING, "a call failed at once: {}", status::name(status));
            vcs.push(vc);
        }
        let done = wait_for(PATIENCE, || caller.made.get() + caller.failed.get() == vcs.len());
        ensure!(done && caller.failed.get() == 0, "{} of {} calls are up", caller.made.get(), vcs.len());
    }
    Ok(vcs)
}

/// Ends the calls, some at a time, the last one first.
fn hang_up(caller: &Caller, vcs: &[Rc<Vc>]) -> Result<()> {
    let mut ended = 0;
    for some in vcs.rchunks(AT_ONCE) {
        for vc in some {
            if client::close_call(vc) != status::PENDING {
                caller.closed.set(caller.closed.get() + 1);
            }
        }
        ended += some.len();
        ensure!(wait_for(PATIENCE, || caller.closed.get() == ended), "calls do not end");
        for vc in some.iter().rev() {
            client::delete_vc(vc);
        }
    }
    Ok(())
}
