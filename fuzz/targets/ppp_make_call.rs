//! Any block of a make call from a PPP client is refused, or read within its bounds.

use condis::ppp::{TYPE, make_call};

/// Judges one input, the bytes at `MediaSpecific.Parameters`.
pub(crate) fn run(block: &[u8]) {
    match make_call::parse(TYPE, block) {
        Ok(request) => {
            assert!(block.len() >= make_call::FIXED.into());
            assert!(request.max_payload >= make_call::DEFAULT_PAYLOAD);
            assert!(request.host_uniq.len() <= make_call::MAX_HOST_UNIQ);
            for name in [request.destination.service, request.destination.access_concentrator] {
                let bytes = name.as_bytes();
                assert!(bytes.is_empty() || block.windows(bytes.len()).any(|window| window == bytes));
            }
        }
        Err(refused) => assert!(refused.status().to_ndis() < 0),
    }
}
