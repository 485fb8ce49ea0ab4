//! The list of keywords.

/// What a keyword holds in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of these numbers.
    Choice(&'static [u32]),
    /// A number between `min` and `max`, `step` apart.
    Number {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
        /// Multiples of this.
        step: u32,
    },
    /// Text of at most this many characters, or none.
    Text(u32),
}

/// Where Windows finds a keyword's description in the INF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Ndi\params`: users see it on the Advanced page.
    Advanced,
    /// Directly under the adapter's key.
    Instance,
}

/// The field of [`super::Settings`] that a keyword sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the fields of Settings")]
pub enum Setting {
    SpeedDuplex,
    FlowControl,
    InterruptModeration,
    TransmitBuffers,
    ReceiveBuffers,
    NetworkAddress,
    WanEndpoints,
    ServiceName,
    AcName,
    HostUniq,
    MaxPayload,
    PadiTries,
    AddressAndControl,
    VlanId,
    VlanPriority,
    Credits,
    CreditScale,
    Concentrator,
    ConcentratorName,
    ConcentratorServices,
    ConcentratorAnswers,
    ConcentratorRequests,
}

/// A keyword of the adapter's registry key.
#[derive(Clone, Copy, Debug)]
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it sets.
    pub setting: Setting,
    /// Where it is described.
    pub place: Place,
}

impl Keyword {
    /// Whether a number is one that the keyword takes.
    pub fn takes(&self, value: u32) -> bool {
        match self.kind {
            Kind::Choice(choices) => choices.contains(&value),
            Kind::Number { min, max, step } => (min..=max).contains(&value) && value.is_multiple_of(step),
            Kind::Text(_) => false,
        }
    }

    const fn new(name: &'static str, setting: Setting, kind: Kind) -> Self {
        Self { name, kind, setting, place: Place::Advanced }
    }

    const fn instance(name: &'static str, setting: Setting, kind: Kind) -> Self {
        Self { name, kind, setting, place: Place::Instance }
    }
}

const BUFFERS: Kind = Kind::Number { min: 64, max: 2048, step: 8 };

/// Every keyword that the driver reads.
pub const KEYWORDS: &[Keyword] = &[
    Keyword::new("*SpeedDuplex", Setting::SpeedDuplex, Kind::Choice(&[0, 1, 2, 3, 4, 6])),
    Keyword::new("*FlowControl", Setting::FlowControl, Kind::Choice(&[0, 1, 2, 3])),
    Keyword::new("*InterruptModeration", Setting::InterruptModeration, Kind::Choice(&[0, 1])),
    Keyword::new("*TransmitBuffers", Setting::TransmitBuffers, BUFFERS),
    Keyword::new("*ReceiveBuffers", Setting::ReceiveBuffers, BUFFERS),
    Keyword::new("NetworkAddress", Setting::NetworkAddress, Kind::Text(12)),
    Keyword::new("ServiceName", Setting::ServiceName, Kind::Text(128)),
    Keyword::new("AcName", Setting::AcName, Kind::Text(128)),
    Keyword::new("HostUniq", Setting::HostUniq, Kind::Text(128)),
    Keyword::new("MaxPayload", Setting::MaxPayload, Kind::Number { min: 1492, max: 1500, step: 1 }),
    Keyword::new("PadiTries", Setting::PadiTries, Kind::Number { min: 1, max: 10, step: 1 }),
    Keyword::new("AddressAndControl", Setting::AddressAndControl, Kind::Choice(&[0, 1])),
    Keyword::new("VlanId", Setting::VlanId, Kind::Number { min: 0, max: 4094, step: 1 }),
    Keyword::new("VlanPriority", Setting::VlanPriority, Kind::Number { min: 0, max: 7, step: 1 }),
    Keyword::new("Credits", Setting::Credits, Kind::Choice(&[0, 1, 2])),
    Keyword::new("CreditScale", Setting::CreditScale, Kind::Number { min: 1, max: 1500, step: 1 }),
    Keyword::new("Concentrator", Setting::Concentrator, Kind::Choice(&[0, 1])),
    Keyword::new("ConcentratorName", Setting::ConcentratorName, Kind::Text(128)),
    Keyword::new("ConcentratorServices", Setting::ConcentratorServices, Kind::Text(255)),
    Keyword::new(
        "ConcentratorAnswers",
        Setting::ConcentratorAnswers,
        Kind::Number { min: 10, max: 1_000_000, step: 1 },
    ),
    Keyword::new(
        "ConcentratorRequests",
        Setting::ConcentratorRequests,
        Kind::Number { min: 0, max: 65_534, step: 1 },
    ),
    Keyword::instance("WanEndpoints", Setting::WanEndpoints, Kind::Number { min: 1, max: 65_534, step: 1 }),
];
