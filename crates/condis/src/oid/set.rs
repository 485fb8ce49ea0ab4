//! Set requests.

use super::{Facts, Path, Scope, Vc, find, number as oid};
use crate::answer::Answer;
use crate::bytes::{length32, u32_at};
use crate::status::Status;
use crate::wan::LinkInfo;

/// `NDIS_DEVICE_POWER_STATE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PowerState {
    /// `NdisDeviceStateD0`: awake.
    D0,
    /// `NdisDeviceStateD1`.
    D1,
    /// `NdisDeviceStateD2`.
    D2,
    /// `NdisDeviceStateD3`: off.
    D3,
}

/// What a set request asks for, checked. The driver does it and completes with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Remember the filter; it does not touch reception on VCs.
    PacketFilter(u32),
    /// Remember the lookahead.
    Lookahead(u32),
    /// Remember what NDISWAN negotiated on the VC.
    LinkInfo(LinkInfo),
    /// Put the card to sleep, or wake it.
    Power(PowerState),
    /// Nothing to do.
    None,
}

/// Checks a set request, `NdisRequestSetInformation`.
///
/// `vc` is the VC that the request names, if it names one; `buffer` is its `InformationBuffer`, empty when that
/// is NULL. `Ok` carries the change and the answer for when it has been made.
///
/// Errors: `INVALID_LENGTH` with the bytes needed, `INVALID_DATA`, `NOT_SUPPORTED`.
pub fn set(
    number: u32,
    path: Path,
    facts: &Facts<'_>,
    vc: Option<&Vc<'_>>,
    buffer: &[u8],
) -> Result<(Change, Answer), Answer> {
    let Some(entry) = find(number).filter(|entry| entry.is_on(path) && entry.set != 0) else {
        return Err(Answer::refused(Status::NOT_SUPPORTED));
    };
    if length32(buffer.len()) < entry.set {
        return Err(Answer::wrong_length(entry.set));
    }
    if entry.scope == Scope::Vc && vc.is_none() {
        return Err(Answer::refused(Status::INVALID_DATA));
    }
    let change = change(number, facts, vc, buffer).ok_or(Answer::refused(Status::INVALID_DATA))?;
    Ok((change, Answer::done(entry.set)))
}

fn change(number: u32, facts: &Facts<'_>, vc: Option<&Vc<'_>>, buffer: &[u8]) -> Option<Change> {
    let value = u32_at(buffer, 0)?;
    match number {
        oid::GEN_CURRENT_PACKET_FILTER => Some(Change::PacketFilter(value)),
        oid::GEN_CURRENT_LOOKAHEAD if value <= facts.wan.max_frame_size => Some(Change::Lookahead(value)),
        oid::GEN_PROTOCOL_OPTIONS => Some(Change::None),
        oid::WAN_CO_SET_LINK_INFO => LinkInfo::parse(buffer, vc?.max_frame_size)?.ok().map(Change::LinkInfo),
        oid::PNP_SET_POWER => Some(Change::Power(match value {
            1 => PowerState::D0,
            2 => PowerState::D1,
            3 => PowerState::D2,
            4 => PowerState::D3,
            _ => return None,
        })),
        _ => None,
    }
}
