//! What the reference is told.

use ndis_sim::ndis::status::{self, Status};

use crate::op::{Flow, Wish};

/// A session: which access concentrator, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) ac: u8,
    pub(crate) id: u16,
}

/// What happens. Families, SAPs, VCs and calls have numbers of the script's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    // What clients ask for, before the driver is called, and the end of it.
    Open {
        family: u32,
    },
    Opened {
        family: u32,
        status: Status,
    },
    CloseFamily {
        family: u32,
    },
    FamilyClosed {
        family: u32,
        status: Status,
    },
    Register {
        sap: u32,
        family: u32,
        good: bool,
    },
    Registered {
        sap: u32,
        status: Status,
    },
    Deregister {
        sap: u32,
    },
    Deregistered {
        sap: u32,
    },
    Create {
        vc: u32,
        family: u32,
    },
    Created {
        vc: u32,
        status: Status,
    },
    Delete {
        vc: u32,
    },
    Deleted {
        vc: u32,
        status: Status,
    },
    Make {
        call: u32,
        vc: u32,
        wish: Wish,
    },
    Made {
        call: u32,
        status: Status,
    },
    Close {
        call: u32,
    },
    Closed {
        call: u32,
        status: Status,
    },
    /// The network's close was dispatched.
    NetworkClosed {
        call: u32,
        status: Status,
    },
    /// A client changes the parameters of a call.
    Modify {
        call: u32,
        flow: Flow,
    },
    Modified {
        call: u32,
        status: Status,
    },
    /// `batch` counts the calls of the driver; those of one `group` overlap in time.
    Send {
        call: u32,
        frame: Vec<u8>,
        batch: u32,
        group: u32,
    },
    Sent {
        call: u32,
        frame: Vec<u8>,
        status: Status,
    },
    Received {
        call: u32,
        frame: Vec<u8>,
    },
    /// The call manager asks the client of a family to leave.
    AskedToLeave {
        family: u32,
    },
    // Calls that come in: what the host does and reads, and what the client is asked and answers.
    Dialled {
        call: u32,
    },
    Solicited {
        call: u32,
    },
    OfferedToHost {
        call: u32,
    },
    Requested {
        call: u32,
    },
    HostRefused {
        call: u32,
    },
    Established {
        call: u32,
        key: Key,
    },
    GaveUp {
        call: u32,
    },
    /// The driver creates and deletes a VC.
    VcMade {
        vc: u32,
        family: u32,
    },
    VcUnmade {
        vc: u32,
    },
    Offer {
        call: u32,
        vc: u32,
    },
    Answered {
        call: u32,
        accepted: bool,
    },
    Connected {
        call: u32,
    },
    // What the far end of the cable sees and does.
    Padi {
        call: u32,
    },
    Offered {
        call: u32,
        ac: u8,
    },
    Padr {
        call: u32,
        ac: u8,
    },
    Granted {
        call: u32,
        key: Key,
    },
    Confirmed {
        key: Key,
    },
    Padt {
        key: Key,
    },
    Data {
        key: Key,
        frame: Vec<u8>,
    },
    Echoed {
        key: Key,
    },
    /// The peer ends the session, and its PADT arrives.
    HungUp {
        key: Key,
    },
    GoodBye {
        key: Key,
    },
    /// A PADT that the peer did not send is on its way.
    Forged {
        key: Key,
    },
    /// More frames from strangers than anybody answers.
    Flooded,
    /// Allocations and other calls fail from now on, or do not any more.
    Starving {
        starved: bool,
    },
    // What Windows and the cable do.
    Link {
        up: bool,
    },
    Pausing,
    Paused,
    Restarted,
    FallingAsleep,
    Asleep,
    Awake,
    Halting,
    Halted,
    Started,
    Removed,
}

impl Event {
    /// In one line, without the contents of frames.
    pub(super) fn short(&self) -> String {
        match self {
            Event::Send { call, frame, .. } => format!("Send on call {call}, {} bytes", frame.len()),
            Event::Sent { call, frame, status } => {
                format!("Sent on call {call}, {} bytes: {}", frame.len(), status::name(*status))
            }
            Event::Received { call, frame } => format!("Received on call {call}, {} bytes", frame.len()),
            Event::Data { key, frame } => format!("Data of {key:?}, {} bytes", frame.len()),
            Event::Made { call, status } => format!("Made call {call}: {}", status::name(*status)),
            Event::NetworkClosed { call, status } => {
                format!("NetworkClosed call {call}: {}", status::name(*status))
            }
            Event::Modified { call, status } => format!("Modified call {call}: {}", status::name(*status)),
            other => format!("{other:?}"),
        }
    }
}
