//! OID requests on their three paths: the miniport's (one at a time), the CoNDIS miniport's and the call manager's.

mod complete;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::adapter::Adapter;
use super::address_family::AddressFamily;
use super::block::Block;
use super::callback::{Level, callback, callback_with};
use super::parameters::{u32_at, u64_at};
use super::pend::{Pend, Returned};
use super::readings::readings;
use super::status::{self, Status};
use super::vc::Vc;
use super::{deadline, finding};
use crate::machine::EventId;

pub(super) use complete::{cm_complete, co_complete, driver_request, miniport_complete};

/// `NDIS_REQUEST_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RequestKind {
    /// `NdisRequestQueryInformation`.
    Query = 0,
    /// `NdisRequestSetInformation`.
    Set = 1,
    /// `NdisRequestQueryStatistics`.
    QueryStatistics = 2,
    /// `NdisRequestMethod`.
    Method = 12,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidRequest {
    /// The OID.
    pub oid: u32,
    /// What to do with it.
    pub kind: RequestKind,
    /// `InformationBuffer`; none stands for a null pointer.
    pub buffer: Option<Vec<u8>>,
    /// `RequestId`, by which the request can be cancelled.
    pub id: usize,
}

impl OidRequest {
    /// A query with a zeroed buffer of `len` bytes.
    pub fn query(oid: u32, len: usize) -> Self {
        Self { oid, kind: RequestKind::Query, buffer: Some(vec![0; len]), id: 0 }
    }

    /// A query whose buffer holds input too.
    pub fn query_with(oid: u32, input: &[u8]) -> Self {
        Self { oid, kind: RequestKind::Query, buffer: Some(input.to_vec()), id: 0 }
    }

    /// A set.
    pub fn set(oid: u32, data: &[u8]) -> Self {
        Self { oid, kind: RequestKind::Set, buffer: Some(data.to_vec()), id: 0 }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidResult {
    /// The status.
    pub status: Status,
    /// `BytesWritten` of a query, `BytesRead` of a set.
    pub bytes: u32,
    /// `BytesNeeded`.
    pub needed: u32,
    /// The buffer as the driver left it, cut after the bytes written for a query that succeeded.
    pub data: Vec<u8>,
}

/// OIDs whose answers are arrays without a header: where there is nothing to list, the answer has no bytes (said on the page
/// of `OID_PM_WOL_PATTERN_LIST`).
const BARE_LISTS: [u32; 8] = [
    0x0001_0117, // OID_GEN_SUPPORTED_GUIDS
    0x0101_0103, // OID_802_3_MULTICAST_LIST
    0x0301_0103, // OID_FDDI_LONG_MULTICAST_LIST
    0x0301_0107, // OID_FDDI_SHORT_MULTICAST_LIST
    0x0A01_0202, // OID_IRDA_UNICAST_LIST
    0xFD01_0105, // OID_PNP_WAKE_UP_PATTERN_LIST
    0xFD01_010C, // OID_PM_WOL_PATTERN_LIST
    0xFD01_0110, // OID_PM_PROTOCOL_OFFLOAD_LIST
];

/// Offsets in `NDIS_OID_REQUEST`; those of queries and sets agree.
mod at {
    pub(super) const KIND: usize = 4;
    pub(super) const TIMEOUT: usize = 12;
    pub(super) const ID: usize = 16;
    pub(super) const OID: usize = 32;
    pub(super) const BUFFER: usize = 40;
    pub(super) const LENGTH: usize = 48;
    pub(super) const BYTES: usize = 52;
    pub(super) const NEEDED: usize = 56;
    /// Through `Reserved2`: revision 1.
    pub(super) const LEN: usize = 236;
}

/// Which handler gets a request, and so which function completes it.
#[derive(Clone)]
pub(crate) enum Path {
    /// `MiniportOidRequest` and `NdisMOidRequestComplete`.
    Miniport,
    /// `MiniportCoOidRequest` and `NdisMCoOidRequestComplete`.
    CoMiniport(Option<Rc<Vc>>),
    /// `ProtocolCoOidRequest` and `NdisCoOidRequestComplete`.
    CallManager(Rc<AddressFamily>, Option<Rc<Vc>>),
}

impl Path {
    fn name(&self) -> &'static str {
        match self {
            Self::Miniport => "NdisMOidRequestComplete",
            Self::CoMiniport(_) => "NdisMCoOidRequestComplete",
            Self::CallManager(..) => "NdisCoOidRequestComplete",
        }
    }

    fn vc(&self) -> Option<&Rc<Vc>> {
        match self {
            Self::Miniport => None,
            Self::CoMiniport(vc) | Self::CallManager(_, vc) => vc.as_ref(),
        }
    }
}

/// What is done with the result.
type Done = Box<dyn FnOnce(OidResult)>;

/// A request in the hands of the driver.
pub(crate) struct Request {
    number: u64,
    adapter: Rc<Adapter>,
    path: Path,
    what: OidRequest,
    block: RefCell<Option<(Block, Option<Block>)>>,
    pend: Pend,
    done: RefCell<Option<Done>>,
    watch: Cell<Option<EventId>>,
    /// Given to a driver that knew that the card is gone.
    too_late: Cell<bool>,
}

/// The regular requests of an adapter.
#[derive(Default)]
pub(crate) struct Queue {
    current: Cell<bool>,
    /// The same of CoNDIS, where those are serialised.
    co_current: Cell<bool>,
    outstanding: Cell<usize>,
}

impl Queue {
    /// Whether the driver has a request.
    pub(super) fn is_busy(&self) -> bool {
        self.current.get() || self.co_current.get() || self.outstanding.get() != 0
    }
}

impl Request {
    fn new(adapter: &Rc<Adapter>, path: Path, what: OidRequest, done: Done) -> Rc<Self> {
        let buffer = what.buffer.as_ref().map(|data| Block::new("InformationBuffer", data));
        let length = buffer.as_ref().map_or(0, Block::len);
        let mut bytes = vec![0; at::LEN];
        bytes[..4].copy_from_slice(&[0x96, 1, 236, 0]);
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(at::KIND, &(what.kind as u32).to_le_bytes());
        put(at::TIMEOUT, &4_u32.to_le_bytes());
        put(at::ID, &(what.id as u64).to_le_bytes());
        put(at::OID, &what.oid.to_le_bytes());
        put(at::BUFFER, &(buffer.as_ref().map_or(0, Block::address) as u64).to_le_bytes());
        put(at::LENGTH, &u32::try_from(length).expect("32 bits").to_le_bytes());
        if what.kind == RequestKind::Method {
            // InputBufferLength and OutputBufferLength take the place of the length and of BytesWritten.
            put(at::BYTES, &u32::try_from(length).expect("32 bits").to_le_bytes());
        }
        let block = Block::new("NDIS_OID_REQUEST", &bytes);
        Rc::new(Self {
            number: adapter.ndis().number("OID request"),
            adapter: Rc::clone(adapter),
            path,
            what,
            block: RefCell::new(Some((block, buffer))),
            pend: Pend::default(),
            done: RefCell::new(Some(done)),
            watch: Cell::new(None),
            too_late: Cell::new(false),
        })
    }

    fn name(&self) -> String {
        format!("OID request {} ({:#010x})", self.number, self.what.oid)
    }

    fn address(&self) -> usize {
        self.block.borrow().as_ref().map_or(0, |(block, _)| block.address())
    }

    /// Calls the driver's handler.
    fn issue(self: &Rc<Self>) {
        let adapter = &self.adapter;
        adapter.oids.outstanding.set(adapter.oids.outstanding.get() + 1);
        self.pend.start();
        self.too_late.set(adapter.told_removed.get());
        let address = self.address();
        adapter.ndis().requests.borrow_mut().insert(address, Rc::clone(self));
        let watched = Rc::clone(self);
        let rule = if matches!(self.path, Path::Miniport) {
            "NV.NdisTimedOidComplete"
        } else {
            "NV.NdisTimedOidComplete.CO"
        };
        self.watch.set(Some(deadline(12, rule, move || watched.pend.outstanding().then(|| watched.name()))));
        let status = self.call(address);
        match self.pend.returned(status) {
            Returned::Final(status) => self.finish(status),
            Returned::Pending | Returned::Early => {}
            Returned::Twice(status) => {
                let text = format!("completed and then returned {}", status::name(status));
                finding("CO-145", Some(self.name()), text);
            }
        }
    }

    fn call(&self, address: usize) -> Status {
        let adapter = &self.adapter;
        let context = |vc: &Option<Rc<Vc>>| vc.as_ref().map_or(0, |vc| vc.context());
        match &self.path {
            Path::Miniport => callback!(
                "MiniportOidRequest",
                Level::Passive,
                adapter.handlers().oid_request,
                adapter.context(),
                address,
            ),
            Path::CoMiniport(vc) => callback_with!(
                context(vc),
                "MiniportCoOidRequest",
                Level::UpToDispatch,
                adapter.co_miniport().co_oid_request,
                adapter.context(),
                context(vc),
                address,
            ),
            Path::CallManager(af, vc) => callback_with!(
                if vc.is_some() { context(vc) } else { af.context() },
                "ProtocolCoOidRequest",
                Level::UpToDispatch,
                adapter.call_manager().oid_request,
                af.context(),
                context(vc),
                0,
                address,
            ),
        }
    }

    /// The request has ended: checks what the driver wrote and takes the memory back.
    fn finish(self: &Rc<Self>, status: Status) {
        let adapter = &self.adapter;
        if let Some(watch) = self.watch.take() {
            adapter.machine().cancel(watch);
        }
        let Some((block, buffer)) = self.block.take() else { return };
        adapter.ndis().requests.borrow_mut().remove(&block.address());
        adapter.ndis().finished.borrow_mut().insert(block.address(), self.number);
        let request = block.read();
        let data = buffer.as_ref().map(Block::read).unwrap_or_default();
        drop((block, buffer));
        self.check_removal(status);
        let result = self.check(status, &request, data);
        adapter.machine().log(format_args!("{} ends with {}", self.name(), status::name(status)));
        adapter.oids.outstanding.set(adapter.oids.outstanding.get() - 1);
        if let Some(done) = self.done.take() {
            done(result);
        }
        if matches!(self.path, Path::Miniport) {
            adapter.oids.current.set(false);
        }
        adapter.ndis().changed();
    }

    /// CO-171: nothing is asked of a card that is gone. The page of the call manager's handler names no status for that.
    fn check_removal(&self, status: Status) {
        let refused = match self.path {
            Path::Miniport | Path::CoMiniport(_) => status == status::NOT_ACCEPTED,
            Path::CallManager(..) => status != status::SUCCESS,
        };
        if self.too_late.get() && !refused {
            let text = format!("ended with {} after a surprise removal", status::name(status));
            finding("CO-171", Some(self.name()), text);
        }
    }

    fn check(&self, status: Status, request: &[u8], mut data: Vec<u8>) -> OidResult {
        let method = self.what.kind == RequestKind::Method;
        let (bytes, needed) = if method {
            (u32_at(request, at::NEEDED + 4), u32_at(request, at::NEEDED + 12))
        } else {
            (u32_at(request, at::BYTES), u32_at(request, at::NEEDED))
        };
        let who = || Some(self.name());
        if bytes as usize > data.len() && status == status::SUCCESS {
            finding("CO-151", who(), format!("{bytes} bytes in a buffer of {}", data.len()));
        }
        if matches!(status, status::BUFFER_TOO_SHORT | status::INVALID_LENGTH)
            && !method
            && needed as usize <= data.len()
            && self.what.kind != RequestKind::Set
        {
            finding("CO-153", who(), format!("too short: BytesNeeded {needed}, length {}", data.len()));
        }
        let told = bytes != 0 || data.is_empty() || self.what.kind == RequestKind::Set;
        if status == status::SUCCESS && !told && !BARE_LISTS.contains(&self.what.oid) {
            finding("CO-154", who(), "BytesWritten is not set".to_owned());
        }
        let header = request[..4] == [0x96, 1, 236, 0] && u32_at(request, at::OID) == self.what.oid;
        let pointer = u64_at(request, at::BUFFER) != 0 || data.is_empty();
        if !header || !pointer {
            finding("CO-150", who(), "fields of the issuer's changed".to_owned());
        }
        if self.what.kind == RequestKind::Set
            && self.what.buffer.as_ref().is_some_and(|before| *before != data)
        {
            finding("CO-156", who(), "a set changed the caller's buffer".to_owned());
        }
        if status == status::SUCCESS && self.what.kind != RequestKind::Set {
            data.truncate(bytes as usize);
        }
        OidResult { status, bytes, needed, data }
    }
}

/// As [`issue_and_wait`], in turn if NDIS serialises the requests of CoNDIS.
fn issue_co(adapter: &Rc<Adapter>, path: Path, what: OidRequest) -> OidResult {
    if !readings().serial_co_oids {
        return issue_and_wait(adapter, path, what);
    }
    let busy = &adapter.oids.co_current;
    adapter.ndis().wait_for("the CoNDIS OID queue", Duration::from_mins(1), || !busy.get());
    busy.set(true);
    let result = issue_and_wait(adapter, path, what);
    busy.set(false);
    adapter.ndis().changed();
    result
}

fn issue_and_wait(adapter: &Rc<Adapter>, path: Path, what: OidRequest) -> OidResult {
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    let request = Request::new(
        adapter,
        path,
        what,
        Box::new(move |result: OidResult| {
            slot.replace(Some(result));
        }),
    );
    request.issue();
    wait(adapter, &result)
}

fn wait(adapter: &Rc<Adapter>, result: &Rc<RefCell<Option<OidResult>>>) -> OidResult {
    adapter.ndis().wait_for("an OID request", Duration::from_mins(1), || result.borrow().is_some());
    let lost = OidResult { status: status::FAILURE, bytes: 0, needed: 0, data: Vec::new() };
    result.take().unwrap_or(lost)
}

impl Adapter {
    /// A request through `MiniportOidRequest`; waits its turn and for the end. `PASSIVE_LEVEL`.
    pub fn oid_request(self: &Rc<Self>, what: OidRequest) -> OidResult {
        let oids = &self.oids;
        let turn = self.ndis().wait_for("the OID queue", Duration::from_mins(1), || !oids.current.get());
        if !turn {
            let lost = OidResult { status: status::FAILURE, bytes: 0, needed: 0, data: Vec::new() };
            return lost;
        }
        oids.current.set(true);
        issue_and_wait(self, Path::Miniport, what)
    }

    /// `NdisCancelOidRequest` for requests with this id.
    pub fn cancel_oid_requests(self: &Rc<Self>, id: usize) {
        callback!(
            "MiniportCancelOidRequest",
            Level::UpToDispatch,
            self.handlers().cancel_oid_request,
            self.context(),
            id,
        );
    }
}

/// A request of a client without an address family (`NdisCoOidRequest` with a null `NdisAfHandle`): goes to
/// `MiniportCoOidRequest`. Waits for its end; `PASSIVE_LEVEL`.
pub fn co_request(adapter: &Rc<Adapter>, vc: Option<&Rc<Vc>>, what: OidRequest) -> OidResult {
    issue_co(adapter, Path::CoMiniport(vc.cloned()), what)
}

/// A request of a client to the call manager (`NdisCoOidRequest` with an address family). Waits for its end;
/// `PASSIVE_LEVEL`.
pub fn cm_request(af: &Rc<AddressFamily>, vc: Option<&Rc<Vc>>, what: OidRequest) -> OidResult {
    issue_co(af.adapter(), Path::CallManager(Rc::clone(af), vc.cloned()), what)
}

/// As [`co_request`], without waiting: `done` is told the result, at up to `DISPATCH_LEVEL`.
pub fn co_request_async(
    adapter: &Rc<Adapter>,
    vc: Option<&Rc<Vc>>,
    what: OidRequest,
    done: impl FnOnce(OidResult) + 'static,
) {
    Request::new(adapter, Path::CoMiniport(vc.cloned()), what, Box::new(done)).issue();
}

/// NDIS halts no adapter that works on a request.
pub(super) fn drain(adapter: &Rc<Adapter>) {
    let oids = &adapter.oids;
    if !adapter.ndis().wait_for("OID requests", Duration::from_mins(1), || oids.outstanding.get() == 0) {
        finding("NDIS.7C.0x25", Some(adapter.name()), "OID requests do not end".to_owned());
    }
}
