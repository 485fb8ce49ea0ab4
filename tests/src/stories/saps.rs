//! SAPs and opens.

use ndis_sim::ndis::{client, status, wait_for};

use crate::{Card, Run, Setup, Station, caller::PATIENCE, lab, station::open};

/// SAPs are registered, conflict, and can be registered again when they are gone; opens come and go.
pub fn saps(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let (kind, sap) = crate::blocks::sap(family);
        let (status, _) = client::register_sap(&station.af, kind, &sap);
        assert_eq!(status, status::SAP_IN_USE, "the same SAP twice: {}", status::name(status));
        assert_eq!(client::deregister_sap(&station.sap), status::SUCCESS);
        for _ in 0..3 {
            let (status, sap) = client::register_sap(&station.af, kind, &sap);
            assert_eq!(status, status::SUCCESS, "a SAP after its deregistration");
            assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
        }
        // A close of a family that waits for a VC.
        let vc = station.vc();
        assert_eq!(client::close_address_family(&station.af), status::PENDING, "a VC exists");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        assert!(wait_for(PATIENCE, || station.caller.closed.get()), "CmCloseAf does not end");
        let (af, sap) = open(&station.adapter, &station.caller, family);
        let again = Station { af, sap, ..station };
        let vc = again.connected();
        again.finish(&vc);
        again.down();
        driver.unload();
    })
}
