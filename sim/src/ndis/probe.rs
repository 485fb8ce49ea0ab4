//! Opens of address families that a driver did not register. NDIS makes none; a driver that trusts it in this would
//! take a family or a version that it does not know for one that it does.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::Adapter;
use super::address_family::{self, AddressFamily, Family};
use super::client::Client;
use super::finding;
use super::status::{self, Status};

/// What no driver registers: a family of no meaning, a version of the future.
const FAMILY: u32 = 0x7FFF;
const MAJOR: u32 = 9;
/// Longest time for an open or a close.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who opens.
#[derive(Default)]
struct Stranger {
    ended: Cell<bool>,
}

impl Client for Stranger {
    fn name(&self) -> &'static str {
        "stranger"
    }

    fn open_complete(&self, _af: &Rc<AddressFamily>, _status: Status) {
        self.ended.set(true);
    }

    fn close_complete(&self, _af: &Rc<AddressFamily>) {
        self.ended.set(true);
    }
}

/// Has `CmOpenAf` asked for each family of the adapter under another number and in another major version, which it has
/// to refuse (`CO-035`). `PASSIVE_LEVEL`.
pub fn probe_address_families(adapter: &Rc<Adapter>) {
    for family in adapter.families() {
        probe(adapter, Family { family: FAMILY, ..family });
        probe(adapter, Family { major: MAJOR, ..family });
    }
}

fn probe(adapter: &Rc<Adapter>, family: Family) {
    let stranger = Rc::new(Stranger::default());
    let client: Rc<dyn Client> = Rc::<Stranger>::clone(&stranger);
    let (status, af) = address_family::ask(adapter, family, &client);
    if status == status::PENDING {
        adapter.ndis().wait_for("a strange open", PATIENCE, || stranger.ended.replace(false));
    }
    if !af.is_open() {
        return;
    }
    let text = format!("opened as {} {}.{}", family.name(), family.major, family.minor);
    finding("CO-035", Some(af.name()), text);
    if address_family::close(&af) == status::PENDING {
        adapter.ndis().wait_for("a strange close", PATIENCE, || stranger.ended.get());
    }
}
