//! OID requests on all three paths.

use core::sync::atomic::Ordering;

use condis::answer::Answer;
use condis::oid::{self, Change, Facts, Path};
use ndis::{OidRequest, Ref, RequestKind, Status, Unlocked};

use super::{Adapter, settings};
use crate::call_manager::{Vc, from_condis};

/// `OID_GEN_VENDOR_DESCRIPTION`.
const DESCRIPTION: &str = "mcm PPPoE miniport call manager";

/// Answers a request, which is finished when this returns.
pub(super) fn answer(
    adapter: &Ref<Adapter>,
    path: Path,
    vc: Option<&Ref<Vc>>,
    request: &mut OidRequest<'_>,
) -> Status {
    if adapter.state.lock(request.locks()).is_removed() {
        // Until MiniportHaltEx comes; the page of MiniportCoOidRequest asks for it.
        request.set_done(0);
        request.set_needed(0);
        return Status::NOT_ACCEPTED;
    }
    let answer = match read(adapter, path, vc, request) {
        Ok((change, answer)) => adapter.apply(change, vc, request, answer),
        Err(refused) => refused,
    };
    request.set_done(answer.bytes);
    request.set_needed(answer.needed);
    from_condis(answer.status)
}

/// Answers a query, or says what a set request is to change. What this takes of the stack is given back before that is done.
#[inline(never)]
fn read(
    adapter: &Adapter,
    path: Path,
    vc: Option<&Ref<Vc>>,
    request: &mut OidRequest<'_>,
) -> core::result::Result<(Change, Answer), Answer> {
    let number = request.oid();
    let counted = request.kind() == RequestKind::Query && oid::is_counted_by_card(number, vc.is_some());
    let facts = adapter.facts(counted, request.locks());
    let locks = request.locks();
    let life =
        vc.map(|vc| (vc.link_info(locks), vc.statistics.snapshot(), vc.origin(), vc.diagnostics(locks)));
    let life = life.as_ref().map(|((link_info, max_frame_size), stats, origin, diagnostics)| oid::Vc {
        link_info: *link_info,
        max_frame_size: *max_frame_size,
        stats: *stats,
        origin: *origin,
        diagnostics: diagnostics.as_str().as_bytes(),
    });
    match request.kind() {
        RequestKind::Query => {
            Ok((Change::None, oid::query(number, path, &facts, life.as_ref(), request.buffer())))
        }
        RequestKind::Set => oid::set(number, path, &facts, life.as_ref(), request.buffer()),
        RequestKind::Method => Err(Answer::refused(condis::status::Status::NOT_SUPPORTED)),
    }
}

impl Adapter {
    /// Does what a set request asks for.
    fn apply(
        &self,
        change: Change,
        vc: Option<&Ref<Vc>>,
        request: &mut OidRequest<'_>,
        done: Answer,
    ) -> Answer {
        match change {
            Change::PacketFilter(filter) => self.packet_filter.store(filter, Ordering::Relaxed),
            Change::Lookahead(bytes) => self.lookahead.store(bytes, Ordering::Relaxed),
            Change::LinkInfo(info) => {
                if let Some(vc) = vc {
                    vc.set_link_info(info, request.locks());
                }
            }
            Change::Power(state) => {
                let Some(irql) = request.passive() else {
                    return Answer::refused(condis::status::Status::NOT_SUPPORTED);
                };
                let status = self.set_power(state, irql);
                if status != Status::SUCCESS {
                    return Answer::refused(condis::status::Status::from_ndis(status.code()));
                }
            }
            Change::None => {}
        }
        done
    }

    /// The adapter as it is now; without what the card has `counted`, unless that is wanted: its counters are many, and slow
    /// to read.
    fn facts(&self, counted: bool, locks: &mut Unlocked) -> Facts<'static> {
        let buffer = u32::try_from(e1000::BUFFER_SIZE).unwrap_or(0);
        let mut stats = self.statistics.snapshot();
        let mut crc_errors = 0;
        if counted {
            let hardware = self.hardware_statistics(locks);
            stats.send_errors = stats.send_errors.saturating_add(hardware.transmit_errors());
            let drops = self.receive.lock(locks).drops().total();
            stats.receive_errors =
                stats.receive_errors.saturating_add(hardware.receive_errors()).saturating_add(drops);
            stats.receive_no_buffer = stats.receive_no_buffer.saturating_add(hardware.receive_lost());
            crc_errors = hardware.crc_errors;
        }
        Facts {
            lines: self.lines(locks),
            wan: settings::wan(&self.settings),
            permanent_address: self.permanent_address.0,
            current_address: self.station.0,
            link_up: self.link_speed(locks).is_some(),
            hardware_ready: self.is_reachable(),
            lookahead: self.lookahead.load(Ordering::Relaxed),
            packet_filter: self.packet_filter.load(Ordering::Relaxed),
            total_size: settings::largest_frame(&self.settings),
            transmit_buffer_space: self.settings.transmit_buffers.saturating_mul(buffer),
            receive_buffer_space: self.receive_buffers.count().saturating_mul(buffer),
            vendor_description: DESCRIPTION,
            vendor_driver_version: u32::from(crate::VERSION.major) << 16 | u32::from(crate::VERSION.minor),
            stats,
            crc_errors,
        }
    }

    /// What the card counted, folded into a running total: its counters clear when read, and stop when full.
    pub(super) fn hardware_statistics(&self, locks: &mut Unlocked) -> e1000::Statistics {
        let access = self.card.access();
        let mut total = self.hardware_statistics.lock(locks);
        if access.is_some() {
            let _ = self.nic.update_statistics(&mut total);
        }
        *total
    }
}
