//! The readings of NDIS's documents by their names.

use clap::ValueEnum;

use crate::ndis::{Contiguity, Course, Flows, Limits, Readings};

/// One way to read one document. The others are read as most pages say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(clippy::doc_markdown, reason = "the command's help shows them as they are")]
pub(super) enum Reading {
    /// CmActivateVcComplete is called before NdisMCmActivateVc returns the final status
    ActivationAnnounced,
    /// CmActivateVcComplete is called before NdisMCmActivateVc returns NDIS_STATUS_PENDING
    ActivationInline,
    /// NdisMCmActivateVc returns NDIS_STATUS_PENDING; CmActivateVcComplete is called later, on any processor
    ActivationLater,
    /// One of these, or no call at all, drawn each time
    ActivationDrawn,
    /// CmDeactivateVcComplete is called before NdisMCmDeactivateVc returns the final status
    DeactivationAnnounced,
    /// CmDeactivateVcComplete is called before NdisMCmDeactivateVc returns NDIS_STATUS_PENDING
    DeactivationInline,
    /// NdisMCmDeactivateVc returns NDIS_STATUS_PENDING; CmDeactivateVcComplete is called later, on any processor
    DeactivationLater,
    /// One of these, or no call at all, drawn each time
    DeactivationDrawn,
    /// MiniportCoActivateVc and MiniportCoDeactivateVc are called
    MiniportVcHandlers,
    /// CmIncomingCallComplete follows every answer to an offer
    EveryAnswerCompleted,
    /// An adapter registers one address family only
    OneAddressFamily,
    /// MiniportHaltEx comes without a pause
    HaltUnpaused,
    /// Requests to MiniportCoOidRequest and CmRequest come one at a time
    SerialCoOids,
    /// MoreNblsPending is ignored after a DPC that may indicate all (NDIS_INDICATE_ALL_NBLS)
    MorePendingIgnored,
    /// DPCs may always indicate all frames they have
    ThrottleNever,
    /// Every DPC may indicate 1 to 300 frames only
    ThrottleAlways,
    /// NDPROXY makes calls without call-manager parameters
    ProxyFlowsAbsent,
    /// NDPROXY asks for the rate of a slower link that there was
    ProxyFlowsOldSpeed,
    /// NDPROXY puts anything into the flows of its calls
    ProxyFlowsNonsense,
    /// One of these, or what is given, drawn each time
    ProxyFlowsDrawn,
    /// NDISWAN does not ask for the sizes of a VC, and goes by what is indicated to it
    WanDoesNotAsk,
    /// NDISWAN takes frames with address and control field only; the adapter has the keyword for that
    WanWantsFraming,
    /// NdisMAllocateSharedMemory finds no more than 16 KiB in one piece, every other time
    MemorySeldomWhole,
    /// NdisMAllocateSharedMemory finds no more than 4 KiB in one piece
    MemoryInPages,
    /// The 82545EM is in a PCI-X slot: it reaches all of memory
    PciX,
    /// A write of CTRL.RST through memory resets an 82540EM or 82545EM; not only one through I/O ports
    ResetByMemory,
    /// Firmware leaves ASPM off for the 82574L
    AspmOff,
    /// A message of the 82574L masks its cause if CTRL_EXT.EIAME and IAM say so; EIAC alone is not enough
    MaskByEiame,
    /// All drawn from the seed, but for one-address-family and halt-unpaused
    Drawn,
}

impl Reading {
    /// The readings of all `names`; `None` has the seed draw them.
    ///
    /// # Errors
    /// Names that exclude each other.
    pub(super) fn all(names: &[Self]) -> Result<Option<Readings>, String> {
        if names.contains(&Self::Drawn) {
            return match names {
                [_] => Ok(None),
                _ => Err("--reading drawn leaves nothing for another --reading to say".to_owned()),
            };
        }
        let mut readings = Readings::default();
        for name in names {
            name.apply(&mut readings);
        }
        Ok(Some(readings))
    }

    fn apply(self, readings: &mut Readings) {
        match self {
            Self::ActivationAnnounced => readings.activation = Course::Announced,
            Self::ActivationInline => readings.activation = Course::Inline,
            Self::ActivationLater => readings.activation = Course::Later,
            Self::ActivationDrawn => readings.activation = Course::Drawn,
            Self::DeactivationAnnounced => readings.deactivation = Course::Announced,
            Self::DeactivationInline => readings.deactivation = Course::Inline,
            Self::DeactivationLater => readings.deactivation = Course::Later,
            Self::DeactivationDrawn => readings.deactivation = Course::Drawn,
            Self::MiniportVcHandlers => readings.miniport_vc_handlers = true,
            Self::EveryAnswerCompleted => readings.every_answer_completed = true,
            Self::OneAddressFamily => readings.one_address_family = true,
            Self::HaltUnpaused => readings.halt_unpaused = true,
            Self::SerialCoOids => readings.serial_co_oids = true,
            Self::MorePendingIgnored => readings.more_pending_ignored = true,
            Self::ThrottleNever => readings.receive_limits = Limits::Never,
            Self::ThrottleAlways => readings.receive_limits = Limits::Always,
            Self::ProxyFlowsAbsent => readings.proxy_flows = Flows::Absent,
            Self::ProxyFlowsOldSpeed => readings.proxy_flows = Flows::OldSpeed,
            Self::ProxyFlowsNonsense => readings.proxy_flows = Flows::Nonsense,
            Self::ProxyFlowsDrawn => readings.proxy_flows = Flows::Drawn,
            Self::WanDoesNotAsk => readings.wan_does_not_ask = true,
            Self::WanWantsFraming => readings.wan_wants_framing = true,
            Self::MemorySeldomWhole => readings.memory = Contiguity::Seldom(0x4000),
            Self::MemoryInPages => readings.memory = Contiguity::Never(0x1000),
            Self::PciX => readings.board.pci_x = true,
            Self::ResetByMemory => readings.board.memory_reset = true,
            Self::AspmOff => readings.board.aspm = 0,
            Self::MaskByEiame => readings.board.mask_by_eiame = true,
            Self::Drawn => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_says_something_of_its_own() {
        let mut seen = vec![Some(Readings::DEFAULT)];
        for &name in Reading::value_variants() {
            let readings = Reading::all(&[name]).expect("one name");
            assert!(!seen.contains(&readings), "{name:?}");
            seen.push(readings);
        }
        assert_eq!(Reading::all(&[]), Ok(Some(Readings::DEFAULT)));
    }

    #[test]
    fn names_add_up() {
        let both =
            Reading::all(&[Reading::ActivationLater, Reading::HaltUnpaused]).expect("no contradiction");
        let expected = Readings { activation: Course::Later, halt_unpaused: true, ..Readings::default() };
        assert_eq!(both, Some(expected));
        assert!(Reading::all(&[Reading::Drawn, Reading::HaltUnpaused]).is_err());
    }
}
