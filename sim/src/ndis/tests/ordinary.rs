//! What ordinary miniports do and the documents allow: no finding.

use super::super::client as ndis_client;
use super::mini::{self, mini, ndis};
use super::{Bench, life, run};
use crate::ndis::oid::OidRequest;
use crate::ndis::{Adapter, HaltAction, Keywords, bus, raw, status};

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

/// A pointer, or a number as wide.
fn word(at: usize) -> usize {
    raw::read(at as *const usize)
}

fn number(at: usize) -> u32 {
    raw::read(at as *const u32)
}

/// The text of a `UNICODE_STRING`.
fn text(at: usize) -> String {
    let len: u16 = raw::read(at as *const u16);
    let units = raw::bytes(word(at + 8), len.into());
    let units: Vec<u16> = units.chunks_exact(2).map(|it| u16::from_le_bytes([it[0], it[1]])).collect();
    String::from_utf16(&units).expect("text")
}

/// `Type` and `Size`.
fn kind(at: usize) -> (u16, u16) {
    (raw::read(at as *const u16), raw::read((at + 2) as *const u16))
}

/// PDO, FDO and the device under that.
fn devices(adapter: &Adapter) -> [usize; 3] {
    let [mut physical, mut functional, mut next, mut other, mut translated] = [0_usize; 5];
    let handle = adapter.handle.get();
    let (raw_list, list) = (&raw mut other, &raw mut translated);
    ndis!(
        bus::device_property,
        handle,
        &raw mut physical,
        &raw mut functional,
        &raw mut next,
        raw_list,
        list
    );
    [physical, functional, next]
}

#[test]
fn a_driver_object_is_filled() {
    clean("", || {
        let bench = Bench::start().expect("a start");
        let object = bench.driver.object();
        assert_eq!(kind(object), (4, 336));
        let extension = word(object + 0x30);
        assert_eq!((word(extension), text(extension + 0x18).as_str()), (object, "mini"));
        assert_eq!(text(object + 0x38), r"\Driver\mini");
        assert!(text(word(object + 0x48)).starts_with(r"\REGISTRY\MACHINE\HARDWARE"));
        assert_eq!(word(object + 0x58), mini::entry as *const () as usize);
        for function in 0..28 {
            let mut irp = [u8::MAX; 208];
            let at = word(object + 0x70 + 8 * function);
            assert_ne!(at, 0, "function {function:#x}");
            // SAFETY: the table has routines of this type.
            let dispatch =
                unsafe { std::mem::transmute::<usize, unsafe extern "win64" fn(usize, *mut u8) -> i32>(at) };
            // SAFETY: the request is as long as one.
            let status = unsafe { dispatch(0, irp.as_mut_ptr()) };
            assert_eq!(status.cast_unsigned(), 0xC000_0010, "STATUS_INVALID_DEVICE_REQUEST");
            assert_eq!(irp[0x30..0x34], status.to_le_bytes());
            assert_eq!(irp[0x38..0x40], [0; 8]);
        }
        bench.stop();
    });
}

#[test]
fn a_driver_object_tells_where_the_image_is() {
    use crate::ndis::io_object::DriverObject;
    let (_machine, image) = crate::image::tests::loaded();
    let object = DriverObject::new("test", image.entry_point());
    let at = object.address();
    assert_eq!((word(at + 0x18), number(at + 0x20) as usize), (image.base(), image.size()));
    assert_eq!(word(at + 0x58), image.entry_point());
    let other = DriverObject::new("pci", 0);
    assert_eq!((word(other.address() + 0x18), number(other.address() + 0x20)), (0, 0));
}

#[test]
fn the_devices_of_an_adapter_are_a_stack() {
    clean("", || {
        let bench = Bench::start().expect("a start");
        let object = bench.driver.object();
        let [physical, functional, next] = devices(&bench.adapter);
        for device in [physical, functional, next] {
            assert_eq!(kind(device), (3, 336));
            assert_eq!(kind(word(device + 8)), (4, 336), "each has a driver");
        }
        let drivers = [physical, next, functional].map(|device| word(device + 8));
        assert!(drivers[0] != drivers[1] && drivers[2] == object);
        let attached = [physical, next, functional].map(|device| word(device + 0x18));
        assert_eq!(attached, [next, functional, 0]);
        let stack = [physical, next, functional].map(|device| raw::read((device + 0x4C) as *const u8));
        assert_eq!(stack, [1, 2, 3]);
        assert_eq!((number(functional + 0x48), number(physical + 0x30) & 0x1000), (0x17, 0x1000));
        // A second adapter's comes before it in the list. The driver knows one set of things only.
        let kept = mini(|it| (it.pool.get(), it.timer.get(), it.work.get()));
        let other = Adapter::new(&bench.driver, None, Keywords::new(), false);
        assert_eq!(word(object + 8), functional);
        other.start().expect("a second start");
        let [_, second, _] = devices(&other);
        assert_eq!((word(object + 8), word(second + 0x10)), (second, functional));
        other.halt(HaltAction::DeviceDisabled);
        assert_eq!(word(object + 8), functional);
        mini(|it| {
            it.adapter.set(bench.adapter.handle.get() as usize);
            it.pool.set(kept.0);
            it.timer.set(kept.1);
            it.work.set(kept.2);
        });
        bench.adapter.pause();
        bench.adapter.halt(HaltAction::DeviceDisabled);
        assert_eq!(word(object + 8), 0);
        bench.driver.unload();
    });
}

#[test]
fn the_unload_routine_is_that_of_the_driver_object() {
    for (how, wanted) in [("", 1), ("unloads before NDIS", 11), ("unloads by itself", 10)] {
        clean(how, move || {
            start_and_stop();
            assert_eq!(mini(|it| it.unloaded.get()), wanted, "{how}");
        });
    }
}

#[test]
fn a_configuration_may_be_refused_in_silence() {
    clean("does not accept its configuration", || assert!(Bench::start().is_none()));
}

#[test]
fn shared_memory_that_is_freed_after_the_end_of_dma_is_freed() {
    use crate::nic::Model;
    for seed in 0..4 {
        let outcome = run(seed, "ends DMA first", false, || {
            Bench::start_on(Some(Model::I82540em), false).expect("a start").stop();
        });
        let rules: Vec<&str> = outcome.findings.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!((rules, outcome.stuck), (vec!["CO-282"], None), "a recommendation is not followed");
    }
}
