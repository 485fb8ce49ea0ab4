//! The ways to ask, and where each OID is answered.

use std::rc::Rc;

use ndis_sim::ndis::{
    Family, Vc, client,
    oid::{OidRequest, OidResult},
};
use scenarios::Station;

use crate::table::Paths::{self, CallVc, Miniport, MiniportVc, Power, Tapi};

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `MiniportOidRequest`.
    Miniport,
    /// `MiniportCoOidRequest`.
    Co,
    /// `MiniportCoOidRequest` for a VC.
    CoVc,
    /// `ProtocolCmOidRequest`.
    Cm,
    /// `ProtocolCmOidRequest` for a VC.
    CmVc,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [Self::Miniport, Self::Co, Self::CoVc, Self::Cm, Self::CmVc];

    pub(crate) fn ask(self, station: &Station, vc: &Rc<Vc>, request: OidRequest) -> OidResult {
        match self {
            Self::Miniport => station.adapter.oid_request(request),
            Self::Co => client::co_oid_request(&station.adapter, None, request),
            Self::CoVc => client::co_oid_request(&station.adapter, Some(vc), request),
            Self::Cm => client::cm_oid_request(&station.af, None, request),
            Self::CmVc => client::cm_oid_request(&station.af, Some(vc), request),
        }
    }

    /// What becomes of an OID on this way.
    pub(crate) fn answers(self, paths: Paths, family: u32) -> Fate {
        let tapi = family == Family::TAPI_PROXY;
        match (self, paths) {
            (Self::Miniport | Self::Co | Self::CoVc, Miniport)
            | (Self::Miniport, Power)
            | (Self::CoVc, MiniportVc)
            | (Self::CmVc, CallVc) => Fate::Answered,
            (Self::Cm | Self::CmVc, Tapi) if tapi => Fate::Answered,
            (Self::Co, MiniportVc) | (Self::Cm, CallVc) => Fate::WantsVc,
            _ => Fate::Unknown,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    WantsVc,
    Unknown,
}
