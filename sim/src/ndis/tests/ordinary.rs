//! What ordinary miniports do and the documents allow: no finding.

use super::super::client as ndis_client;
use super::mini::{self, mini};
use super::{Bench, life, run};
use crate::ndis::oid::OidRequest;
use crate::ndis::status;

/// The driver that does so leaves no finding.
fn clean(how: mini::Deviation, script: impl Fn() + Clone + Send + 'static) {
    for seed in 0..8 {
        for pend in [false, true] {
            let outcome = run(seed, how, pend, script.clone());
            assert_eq!(outcome.findings, [], "{how}, seed {seed}");
            assert_eq!(outcome.stuck, None, "{how}, seed {seed}");
        }
    }
}

fn start_and_stop() {
    Bench::start().expect("a start").stop();
}

#[test]
fn a_driver_may_obtain_by_its_own_handle() {
    clean("driver's things", life);
    clean("driver's things", start_and_stop);
}

#[test]
fn a_pool_needs_no_handle() {
    clean("driver's pool of nobody", life);
}

#[test]
fn a_driver_may_be_of_any_version_since_6_0() {
    for version in ["NDIS 6.0", "NDIS 6.1", "NDIS 6.20"] {
        clean(version, start_and_stop);
    }
}

#[test]
fn an_empty_list_is_an_answer() {
    clean("empty lists", || {
        let bench = Bench::start().expect("a start");
        for oid in [0x0101_0103, 0xFD01_010C, 0x0001_0117] {
            let result = bench.adapter.oid_request(OidRequest::query(oid, 24));
            assert_eq!((result.status, result.bytes), (status::SUCCESS, 0), "{oid:#x}");
        }
        bench.stop();
    });
}

#[test]
fn a_send_without_a_vc_is_the_bindings() {
    clean("", || {
        let bench = Bench::start().expect("a start");
        let sent = ndis_client::send_connectionless(&bench.adapter, vec![7; 60]);
        assert_eq!(sent, Some(status::NOT_SUPPORTED));
        let (source, adapter) = mini(|it| (it.source.get(), it.adapter.get()));
        assert_ne!(source, 0);
        assert_ne!(source, adapter, "SourceHandle is the protocol's");
        bench.stop();
    });
}
