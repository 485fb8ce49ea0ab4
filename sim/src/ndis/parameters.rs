//! `CO_CALL_PARAMETERS`: what client and call manager agree on for a call, as Rust values and as the linked
//! blocks a driver sees.
//!
//! Layouts are those of `ndis.h` for 64-bit targets. Each block lies in memory of its own that ends at a guard
//! page, and vanishes when the operation it belongs to ends, so a driver that writes past it or keeps a pointer
//! to it faults.

use super::block::Block;

/// `CALL_PARAMETERS_CHANGED`: the call manager altered the parameters.
pub const CALL_PARAMETERS_CHANGED: u32 = 2;
/// `TRANSMIT_VC | RECEIVE_VC` of `CO_MEDIA_PARAMETERS`.
pub const TRANSMIT_AND_RECEIVE: u32 = 0x4 | 0x8;
/// `QOS_NOT_SPECIFIED`: a flow value left open.
pub const UNSPECIFIED: u32 = u32::MAX;

/// `FLOWSPEC`: rates in bytes per second, times in microseconds, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSpec {
    /// Bytes per second.
    pub token_rate: u32,
    /// Bytes.
    pub token_bucket_size: u32,
    /// Bytes per second.
    pub peak_bandwidth: u32,
    /// Microseconds.
    pub latency: u32,
    /// Microseconds.
    pub delay_variation: u32,
    /// `SERVICETYPE_*`.
    pub service_type: u32,
    /// Bytes.
    pub max_sdu_size: u32,
    /// Bytes.
    pub minimum_policed_size: u32,
}

impl FlowSpec {
    /// Bytes of a `FLOWSPEC`.
    const LEN: usize = 32;

    /// Best effort (`SERVICETYPE_BESTEFFORT`) with the given rate and everything else unspecified.
    pub fn best_effort(bytes_per_second: u32) -> Self {
        Self {
            token_rate: bytes_per_second,
            token_bucket_size: UNSPECIFIED,
            peak_bandwidth: bytes_per_second,
            latency: UNSPECIFIED,
            delay_variation: UNSPECIFIED,
            service_type: 1,
            max_sdu_size: UNSPECIFIED,
            minimum_policed_size: UNSPECIFIED,
        }
    }

    fn words(&self) -> [u32; 8] {
        [
            self.token_rate,
            self.token_bucket_size,
            self.peak_bandwidth,
            self.latency,
            self.delay_variation,
            self.service_type,
            self.max_sdu_size,
            self.minimum_policed_size,
        ]
    }

    fn bytes(&self) -> Vec<u8> {
        self.words().into_iter().flat_map(u32::to_le_bytes).collect()
    }

    fn parse(bytes: &[u8]) -> Self {
        let word = |i: usize| u32_at(bytes, i * 4);
        Self {
            token_rate: word(0),
            token_bucket_size: word(1),
            peak_bandwidth: word(2),
            latency: word(3),
            delay_variation: word(4),
            service_type: word(5),
            max_sdu_size: word(6),
            minimum_policed_size: word(7),
        }
    }
}

/// `CO_SPECIFIC_PARAMETERS`: a block whose format the medium or the call manager defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specific {
    /// `ParamType`.
    pub param_type: u32,
    /// `Parameters`, `Length` bytes of it.
    pub parameters: Vec<u8>,
}

/// `CO_CALL_MANAGER_PARAMETERS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallManagerParameters {
    /// From the client to the network.
    pub transmit: FlowSpec,
    /// From the network to the client.
    pub receive: FlowSpec,
    /// `CallMgrSpecific`.
    pub specific: Specific,
}

/// `CO_MEDIA_PARAMETERS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaParameters {
    /// `TRANSMIT_VC`, `RECEIVE_VC` and so on.
    pub flags: u32,
    /// `ReceivePriority`.
    pub receive_priority: u32,
    /// `ReceiveSizeHint`, bytes.
    pub receive_size_hint: u32,
    /// `MediaSpecific`.
    pub specific: Specific,
}

/// `CO_CALL_PARAMETERS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallParameters {
    /// `PERMANENT_VC`, `CALL_PARAMETERS_CHANGED` and so on.
    pub flags: u32,
    /// May be absent.
    pub call_manager: Option<CallManagerParameters>,
    /// May be absent.
    pub media: Option<MediaParameters>,
}

/// [`CallParameters`] as a driver sees them.
#[derive(Debug)]
pub struct ParameterBlock {
    head: Block,
    call_manager: Option<Block>,
    media: Option<Block>,
}

/// Bytes before `CallMgrSpecific.Parameters` and of the whole structure with its one byte placeholder.
const CALL_MANAGER: (usize, usize) = (72, 76);
/// Bytes before `MediaSpecific.Parameters` and of the whole structure with its one byte placeholder.
const MEDIA: (usize, usize) = (24, 32);

impl ParameterBlock {
    /// Lays `parameters` out.
    pub fn new(parameters: &CallParameters) -> Self {
        let call_manager = parameters.call_manager.as_ref().map(|it| {
            let mut bytes = it.transmit.bytes();
            bytes.extend(it.receive.bytes());
            Block::new("CO_CALL_MANAGER_PARAMETERS", &with_specific(bytes, &it.specific, CALL_MANAGER))
        });
        let media = parameters.media.as_ref().map(|it| {
            let mut bytes = Vec::new();
            for word in [it.flags, it.receive_priority, it.receive_size_hint, 0] {
                bytes.extend(word.to_le_bytes());
            }
            Block::new("CO_MEDIA_PARAMETERS", &with_specific(bytes, &it.specific, MEDIA))
        });
        let mut head = Vec::new();
        head.extend(u64::from(parameters.flags).to_le_bytes());
        head.extend(address(call_manager.as_ref()).to_le_bytes());
        head.extend(address(media.as_ref()).to_le_bytes());
        Self { head: Block::new("CO_CALL_PARAMETERS", &head), call_manager, media }
    }

    /// What the driver is given.
    pub fn address(&self) -> usize {
        self.head.address()
    }

    /// The parameters as they stand now.
    pub fn read(&self) -> CallParameters {
        CallParameters {
            flags: u32_at(&self.head.read(), 0),
            call_manager: self.call_manager.as_ref().map(|it| parse_call_manager(&it.read())),
            media: self.media.as_ref().map(|it| parse_media(&it.read())),
        }
    }

    /// Whether the driver changed one of the two pointers, which are the client's. It may give call-manager parameters to a
    /// client that has none ("Making Outgoing Calls").
    pub fn relinked(&self) -> bool {
        let head = self.head.read();
        let manager = u64_at(&head, 8) != address(self.call_manager.as_ref());
        manager && self.call_manager.is_some() || u64_at(&head, 16) != address(self.media.as_ref())
    }

    /// Where the driver's call-manager parameters are, if it has supplied them.
    pub fn supplied(&self) -> Option<usize> {
        let at = pointer_at(&self.head.read(), 8);
        Some(at).filter(|&at| at != 0 && self.call_manager.is_none())
    }
}

/// Reads parameters from a driver's own block, as NDIS does for an incoming call. `fetch` copies memory.
pub(crate) fn read_foreign(at: usize, fetch: impl Fn(usize, usize) -> Vec<u8>) -> CallParameters {
    let head = fetch(at, 24);
    let (manager, media) = (pointer_at(&head, 8), pointer_at(&head, 16));
    CallParameters {
        flags: u32_at(&head, 0),
        call_manager: (manager != 0).then(|| read_manager(manager, &fetch)),
        media: (media != 0).then(|| {
            let length = u32_at(&fetch(media, MEDIA.0), MEDIA.0 - 4) as usize;
            parse_media(&fetch(media, MEDIA.0 + length))
        }),
    }
}

/// Reads call-manager parameters of the driver's.
pub(crate) fn read_manager(at: usize, fetch: impl Fn(usize, usize) -> Vec<u8>) -> CallManagerParameters {
    let length = u32_at(&fetch(at, CALL_MANAGER.0), CALL_MANAGER.0 - 4) as usize;
    parse_call_manager(&fetch(at, CALL_MANAGER.0 + length))
}

fn parse_call_manager(bytes: &[u8]) -> CallManagerParameters {
    CallManagerParameters {
        transmit: FlowSpec::parse(bytes),
        receive: FlowSpec::parse(&bytes[FlowSpec::LEN..]),
        specific: parse_specific(bytes, CALL_MANAGER.0),
    }
}

fn parse_media(bytes: &[u8]) -> MediaParameters {
    MediaParameters {
        flags: u32_at(bytes, 0),
        receive_priority: u32_at(bytes, 4),
        receive_size_hint: u32_at(bytes, 8),
        specific: parse_specific(bytes, MEDIA.0),
    }
}

/// The specific part whose `Parameters` begin at `at`; a length beyond the block is cut.
fn parse_specific(bytes: &[u8], at: usize) -> Specific {
    let end = bytes.len().min(at.saturating_add(u32_at(bytes, at - 4) as usize));
    Specific { param_type: u32_at(bytes, at - 8), parameters: bytes[at..end].to_vec() }
}

fn with_specific(mut bytes: Vec<u8>, specific: &Specific, (start, whole): (usize, usize)) -> Vec<u8> {
    bytes.extend(specific.param_type.to_le_bytes());
    let length = u32::try_from(specific.parameters.len()).expect("a parameter block is far below 4 GiB");
    bytes.extend(length.to_le_bytes());
    assert_eq!(bytes.len(), start);
    bytes.extend(&specific.parameters);
    bytes.resize(bytes.len().max(whole), 0);
    bytes
}

fn address(block: Option<&Block>) -> u64 {
    block.map_or(0, |block| block.address() as u64)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) fn pointer_at(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64_at(bytes, at)).expect("a 64-bit host")
}
