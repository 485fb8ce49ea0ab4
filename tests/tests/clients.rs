//! Clients side by side: several of one family, their requests on three paths at once, their leaving.

use std::{cell::Cell, rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        self, AddressFamily, Family, HaltAction, Readings,
        client::{self, Client},
        oid::OidRequest,
        status, wait_for,
    },
    nic::Model,
};
use scenarios::{
    Caller, Card, Record, Setup, Station, blocks,
    caller::PATIENCE,
    lab::{self, sleep},
    station::exchange,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];

fn each(story: impl Fn(u64, Card, u32)) {
    for seed in 0..6 {
        let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
        story(seed, Card::new(model), FAMILIES[usize::try_from(seed % 2).expect("small")]);
    }
}

// covers: CmOpenAf, SEQ:open-af-unknown
#[test]
fn families_that_nobody_registered_are_refused() {
    let run = lab::run(Setup::new(1, Card::new(Model::I82574l)), |lab| {
        let driver = lab.load();
        let adapter = lab.adapter(&driver, 0);
        adapter.start().expect("MiniportInitializeEx succeeds");
        client::probe_address_families(&adapter);
        adapter.halt(HaltAction::DeviceDisabled);
        driver.unload();
    });
    run.clean();
}

// covers: CmOpenAf, CmCloseAf, CmRegisterSap, CmDeregisterSap, SEQ:several-clients
#[test]
fn clients_of_one_family_do_not_disturb_each_other() {
    each(|seed, card, family| {
        let run = lab::run(Setup::new(seed, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let others: Vec<_> = (0..3).map(|nth| Caller::opened(&station, nth)).collect();
            let first = station.connected();
            let calls: Vec<_> = others.iter().map(|(caller, af)| connected(caller, af)).collect();
            assert_eq!(station.tally.borrow().open.len(), 4);
            let mut vcs = vec![Rc::clone(&first)];
            vcs.extend(calls.iter().cloned());
            assert!(exchange(&vcs, &[60, 700], 8), "a frame was lost, changed or overtaken");
            // The first one leaves; the others' calls go on.
            station.finish(&first);
            station.close();
            assert!(exchange(&calls, &[60], 8), "a frame was lost after another client had left");
            for ((caller, af), vc) in others.iter().zip(&calls) {
                assert!(Caller::hang_up(vc));
                assert_eq!(client::delete_vc(vc), status::SUCCESS);
                close(caller, af);
            }
            station.adapter.pause();
            station.adapter.halt(HaltAction::DeviceDisabled);
            driver.unload();
        });
        run.clean();
    });
}

/// What the stories here want of a client.
trait Opened {
    /// A further client of the families in turn, without a SAP.
    fn opened(station: &Station, nth: usize) -> (Rc<Caller>, Rc<AddressFamily>);
}

impl Opened for Caller {
    fn opened(station: &Station, nth: usize) -> (Rc<Caller>, Rc<AddressFamily>) {
        let caller = Self::new();
        let family = if nth == 0 { station.family } else { FAMILIES[nth % 2] };
        let family =
            station.adapter.families().into_iter().find(|it| it.family == family).expect("registered");
        let bound: Rc<dyn Client> = Rc::<Self>::clone(&caller);
        let (status, af) = client::open_address_family(&station.adapter, family, &bound);
        if status == status::PENDING {
            wait_for(PATIENCE, || caller.opened.get().is_some());
        }
        assert!(af.is_open(), "CmOpenAf: {}", status::name(status));
        (caller, af)
    }
}

fn connected(_caller: &Rc<Caller>, af: &Rc<AddressFamily>) -> Rc<ndis::Vc> {
    let (status, vc) = client::create_vc(af);
    assert_eq!(status, status::SUCCESS, "CmCreateVc");
    let record = Rc::new(Record::default());
    vc.set_client_data(Rc::<Record>::clone(&record));
    let parameters = blocks::call(af.family().family, &blocks::Destination::default());
    let status = client::make_call(&vc, &parameters);
    if status != status::PENDING {
        record.made.set(Some(status));
    }
    assert!(wait_for(PATIENCE, || record.made.get().is_some()), "the call hangs");
    assert_eq!(record.made.get(), Some(status::SUCCESS));
    vc
}

fn close(caller: &Rc<Caller>, af: &Rc<AddressFamily>) {
    if client::close_address_family(af) == status::SUCCESS {
        caller.closed.set(true);
    }
    assert!(wait_for(PATIENCE, || caller.closed.get()), "CmCloseAf does not end");
}

// covers: MiniportOidRequest, MiniportCoOidRequest, CmOidRequest, SEQ:oids-in-parallel
#[test]
fn requests_on_three_paths_run_side_by_side() {
    for serial_co_oids in [false, true] {
        lab::under(Readings { serial_co_oids, ..Readings::default() }, || {
            each(|seed, card, family| {
                let run = lab::run(Setup::new(seed, card), move |lab| {
                    let driver = lab.load();
                    let station = Station::up(lab, &driver, 0, family);
                    let vc = station.connected();
                    let left = Rc::new(Cell::new(6));
                    for path in 0..6 {
                        let (adapter, af) = (Rc::clone(&station.adapter), Rc::clone(&station.af));
                        let (vc, left) = (Rc::clone(&vc), Rc::clone(&left));
                        Machine::current().spawn("asks", move || {
                            for _ in 0..20 {
                                let result = match path % 3 {
                                    0 => adapter.oid_request(OidRequest::query(0x0001_0106, 4)),
                                    1 => client::co_oid_request(
                                        &adapter,
                                        Some(&vc),
                                        OidRequest::query(0x0401_0182, 32),
                                    ),
                                    _ if family == Family::PPP => client::co_oid_request(
                                        &adapter,
                                        None,
                                        OidRequest::query(0x0401_0180, 16),
                                    ),
                                    _ => {
                                        client::cm_oid_request(&af, None, OidRequest::query(0xFE00_1001, 12))
                                    }
                                };
                                assert_eq!(status::name(result.status), "SUCCESS", "path {path}");
                            }
                            left.set(left.get() - 1);
                            ndis::changed();
                        });
                    }
                    assert!(exchange(&[Rc::clone(&vc)], &[60, 1494], 20), "frames beside requests");
                    assert!(wait_for(PATIENCE, || left.get() == 0), "a request does not end");
                    station.finish(&vc);
                    station.down();
                    driver.unload();
                });
                run.clean();
            });
        });
    }
}

// covers: CmCloseAf, CmDeregisterSap, CmCloseCall, SEQ:af-close-with-live-objects
// covers: NdisMCmCloseAddressFamilyComplete, SEQ:sap-closed-with-calls
#[test]
fn a_family_closes_when_its_sap_and_its_call_are_gone() {
    each(|seed, card, family| {
        let run = lab::run(Setup::new(seed, card), move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, family);
            let vc = station.connected();
            let status = client::close_address_family(&station.af);
            assert_eq!(status::name(status), "PENDING");
            sleep(Duration::from_millis(5));
            assert!(!station.caller.closed.get(), "closed under a call");
            assert!(client::create_vc(&station.af).0 != status::SUCCESS, "a VC for a client that leaves");
            station.finish(&vc);
            sleep(Duration::from_millis(5));
            assert!(!station.caller.closed.get(), "closed under a SAP");
            if client::deregister_sap(&station.sap) == status::PENDING {
                assert!(wait_for(PATIENCE, || station.caller.sap_deregistered.get()));
            }
            assert!(wait_for(PATIENCE, || station.caller.closed.get()), "CmCloseAf does not end");
            station.adapter.pause();
            station.adapter.halt(HaltAction::DeviceDisabled);
            driver.unload();
        });
        run.clean();
    });
}

/// A client that has nothing on its family, and leaves it when it is asked: within the call, or late.
struct Guest {
    late: Option<Duration>,
    closed: Cell<bool>,
}

impl Guest {
    fn leave(&self, af: &Rc<AddressFamily>) {
        self.closed.set(client::close_address_family(af) == status::SUCCESS);
    }
}

impl Client for Guest {
    fn name(&self) -> &'static str {
        "guest"
    }

    fn notify_close(&self, af: &Rc<AddressFamily>) -> status::Status {
        let Some(late) = self.late else {
            self.leave(af);
            return status::SUCCESS;
        };
        let af = Rc::clone(af);
        Machine::current().spawn("leaving guest", move || {
            sleep(late);
            client::close_address_family(&af);
            client::notify_close_complete(&af, status::SUCCESS);
        });
        status::PENDING
    }
}

// covers: NdisMCmNotifyCloseAddressFamily, CmNotifyCloseAfComplete, MiniportHaltEx, SEQ:halt-with-open-afs
#[test]
fn a_halt_waits_for_clients_that_leave_at_once_and_late() {
    each(|seed, card, _| {
        let run = lab::run(Setup::new(seed, card), |lab| {
            let driver = lab.load();
            let adapter = lab.adapter(&driver, 0);
            adapter.start().expect("MiniportInitializeEx succeeds");
            let late = [None, Some(Duration::ZERO), Some(Duration::from_secs(20)), None];
            for (late, family) in late.into_iter().zip(adapter.families().into_iter().cycle()) {
                let guest: Rc<dyn Client> = Rc::new(Guest { late, closed: Cell::new(false) });
                let (status, _) = client::open_address_family(&adapter, family, &guest);
                assert_eq!(status, status::SUCCESS);
            }
            let before = Machine::current().now();
            adapter.halt(HaltAction::DeviceDisabled);
            assert!(Machine::current().now() >= before + Duration::from_secs(20), "the halt does not wait");
            driver.unload();
        });
        run.clean();
    });
}
