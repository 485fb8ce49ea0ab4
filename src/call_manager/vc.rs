//! Virtual circuits.

use condis::address_family::AddressFamily as Family;
use condis::call::Activation;
use condis::call::Call;
use condis::flow::Grant;
use condis::tapi::call_diagnostics::Origin;
use condis::wan::{LinkInfo, LinkParams};
use ndis::{
    Chain, ManagerParameters, PendedCloseCall, PendedMakeCall, Ref, Result, SpinLock, Unlocked, VcHandle,
};
use pppoe::bounded::Text;
use pppoe::concentrator::{Refusal, RequestId};
use pppoe::credit::Agreement;
use pppoe::{Instant, Session, SessionKey};

use super::change::Changes;
use super::incoming::{CALL_REFUSED, Offer};
use super::lines::Line;
use super::steps::Step;
use super::{AddressFamily, from_condis};
use crate::adapter::{Adapter, Statistics, settings};
use crate::datapath::{Outgoing, Place};
use crate::level;

/// One VC, created by a client for calls that it makes, or by the driver for one that comes in.
///
/// What every run of frames needs comes first, so that it lies on few cache lines: with tens of thousands of VCs none of
/// them is in a cache.
#[repr(C)]
pub(crate) struct Vc {
    pub(super) handle: VcHandle,
    pub(super) family: Ref<AddressFamily>,
    /// Where it waits for room in the transmit ring.
    pub(crate) place: Place,
    pub(crate) statistics: Statistics,
    pub(super) life: SpinLock<Life, level::Life>,
    origin: Origin,
}

/// What changes with the calls on a VC; in the order of [`Vc`].
#[repr(C)]
pub(super) struct Life {
    /// The session, while there is one.
    pub(super) session: Option<Session>,
    pub(super) call: Call<PendedMakeCall, PendedCloseCall>,
    /// Where the call stands in the table of calls; `None` before and after it.
    pub(super) slot: Option<u32>,
    /// The place that the call takes among the adapter's, from the make call until it is off the wire.
    pub(super) line: Option<Line>,
    /// What the peer waits for, until a call that comes in has its session or is refused.
    pub(super) request: Option<RequestId>,
    /// What the peer reads if it is refused.
    pub(super) refusal: Refusal,
    /// The offer of that call, until the client has answered.
    pub(super) offer: Option<Ref<Offer>>,
    /// The rate that the call has, and what changes it.
    pub(super) grant: Grant,
    pub(super) changes: Changes,
    /// What the session has of flow control by credits, until it has an account of them.
    pub(super) credits: Option<Agreement>,
    /// Call-manager parameters for calls whose client has none; the client may look at them as long as there is the VC.
    pub(super) supplied: Option<ManagerParameters>,
    /// What NDISWAN was told last in the session: link parameters and largest payload.
    pub(super) told: Option<(LinkParams, u16)>,
    /// How often it was told because somebody asked.
    pub(super) asked: u8,
    /// What NDISWAN has negotiated in a session; void when the session is.
    pub(super) link_info: Option<(SessionKey, LinkInfo)>,
    /// What the peer said last: in the session, or when it refused or ended the call.
    pub(super) diagnostics: Text,
    /// Until then what it says in the session is not looked at.
    pub(super) quiet_until: Instant,
}

impl ndis::Vc for Vc {
    fn handle(&self) -> &VcHandle {
        &self.handle
    }
}

impl Life {
    /// Nothing of an earlier call on the VC is left in this one.
    pub(super) fn begin(&mut self, slot: u32, line: Line) {
        self.slot = Some(slot);
        self.line = Some(line);
        self.diagnostics = Text::EMPTY;
        self.link_info = None;
        self.told = None;
        self.asked = 0;
        self.grant = Grant::default();
        self.credits = None;
        self.quiet_until = Instant::ZERO;
    }
}

impl Vc {
    /// `CmCreateVc`.
    pub(super) fn create(
        family: &Ref<AddressFamily>,
        handle: VcHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self>> {
        Self::new(family, handle, Call::new(), None, locks)
    }

    /// A VC for a call that comes in, with the first step of its life. NDIS does not know it yet.
    pub(super) fn incoming(
        family: &Ref<AddressFamily>,
        request: RequestId,
        offer: Ref<Offer>,
        line: Line,
        locks: &mut Unlocked,
    ) -> Result<(Ref<Self>, Activation<PendedMakeCall>)> {
        let (call, activation) = Call::incoming();
        let handle = VcHandle::unborn();
        let vc = Self::new(family, handle, call, Some((request, offer)), locks)?;
        vc.life.lock(locks).line = Some(line);
        Ok((vc, activation))
    }

    fn new(
        family: &Ref<AddressFamily>,
        handle: VcHandle,
        call: Call<PendedMakeCall, PendedCloseCall>,
        incoming: Option<(RequestId, Ref<Offer>)>,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self>> {
        let origin = if incoming.is_some() { Origin::Inbound } else { Origin::Outbound };
        let (request, offer) = incoming.unzip();
        let vc = Ref::new_with(|| Self {
            handle,
            family: Ref::clone(family),
            origin,
            life: SpinLock::new(Life {
                call,
                slot: None,
                line: None,
                session: None,
                request,
                refusal: CALL_REFUSED,
                offer,
                grant: Grant::default(),
                changes: Changes::default(),
                credits: None,
                supplied: None,
                told: None,
                asked: 0,
                link_info: None,
                diagnostics: Text::EMPTY,
                quiet_until: Instant::ZERO,
            }),
            statistics: Statistics::default(),
            place: Place::default(),
        })?;
        family.object_added(locks)?;
        Ok(vc)
    }

    /// `CmDeleteVc`.
    pub(super) fn delete(&self, locks: &mut Unlocked) -> Result<()> {
        self.life.lock(locks).call.delete().map_err(from_condis)?;
        self.family.object_removed(locks);
        Ok(())
    }

    /// The adapter.
    pub(crate) fn adapter(&self) -> &Ref<Adapter> {
        self.family.owner()
    }

    /// Whether it is NDPROXY's, and its frames NDISWAN's.
    pub(crate) fn is_proxied(&self) -> bool {
        self.family.kind() == Family::TapiProxy
    }

    /// Who begins its calls.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    /// What NDISWAN has negotiated, and the largest information field that it may.
    pub(crate) fn link_info(&self, locks: &mut Unlocked) -> (LinkInfo, u32) {
        let life = self.life.lock(locks);
        let largest = life.session.map_or_else(
            || settings::wan(&self.adapter().settings).max_frame_size,
            |session| session.max_payload.into(),
        );
        let negotiated =
            life.link_info.filter(|(key, _)| life.session.is_some_and(|session| session.key == *key));
        (negotiated.map_or_else(|| LinkInfo::new(largest), |(_, info)| info), largest)
    }

    /// NDISWAN has negotiated. Without a session there is nothing to remember it for.
    pub(crate) fn set_link_info(&self, info: LinkInfo, locks: &mut Unlocked) {
        let mut life = self.life.lock(locks);
        life.link_info = life.session.map(|session| (session.key, info));
    }

    /// What the peer said last.
    pub(crate) fn diagnostics(&self, locks: &mut Unlocked) -> Text {
        self.life.lock(locks).diagnostics
    }

    /// Counts sends in; the session they go to, or `None` if there is none.
    pub(crate) fn begin_sends(&self, count: u32, locks: &mut Unlocked) -> Option<Outgoing> {
        let mut life = self.life.lock(locks);
        let session = life.session?;
        life.call.begin_sends(count).then(|| Outgoing::new(self.adapter().station, &session))
    }

    /// Counts received frames of a session in; false if it is not this VC's any more.
    pub(crate) fn begin_receives(&self, key: SessionKey, count: u32, locks: &mut Unlocked) -> bool {
        let mut life = self.life.lock(locks);
        life.session.is_some_and(|session| session.key == key) && life.call.begin_receives(count)
    }

    /// Sends were completed. Those that end by what follows are added to `ended`.
    pub(crate) fn sends_ended(this: &Ref<Self>, count: u32, ended: &mut Chain<Self>, locks: &mut Unlocked) {
        let drained = this.life.lock(locks).call.end_sends(count);
        if drained {
            Self::steps(this, Step::Deactivate, ended, locks);
        }
    }

    /// Receives came back.
    pub(crate) fn receives_ended(this: &Ref<Self>, count: u32, locks: &mut Unlocked) {
        let drained = this.life.lock(locks).call.end_receives(count);
        if drained {
            Self::run(this, Step::Deactivate, locks);
        }
    }

    /// Frames were sent.
    pub(crate) fn count_sent(&self, frames: u64, bytes: u64) {
        self.statistics.sent(frames, bytes);
        self.adapter().statistics.sent(frames, bytes);
    }

    /// Frames are being indicated.
    pub(crate) fn count_received(&self, frames: u64, bytes: u64) {
        self.statistics.received(frames, bytes);
        self.adapter().statistics.received(frames, bytes);
    }

    /// Frames that were counted did not leave as they should have.
    pub(crate) fn count_not_sent(&self, frames: u64, bytes: u64) {
        self.statistics.not_sent(frames, bytes);
        self.adapter().statistics.not_sent(frames, bytes);
    }

    /// Frames could not be sent.
    pub(crate) fn count_send_errors(&self, frames: u64) {
        self.statistics.send_errors(frames);
        self.adapter().statistics.send_errors(frames);
    }
}
