//! Any block of a make call from NDPROXY is refused, or read within its bounds.

use condis::tapi::{Lines, make_call};

const LINES: Lines = Lines { count: 3, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 7 };

/// Judges one input, the bytes at `MediaSpecific.Parameters`.
pub(crate) fn run(block: &[u8]) {
    match make_call::parse(block, &LINES) {
        Ok(request) => {
            assert!(block.len() >= make_call::FIXED);
            assert!(request.line.is_none_or(|line| line < LINES.count));
            assert!(request.address.is_none_or(|address| address == 0));
            if let Some(params) = request.call_params {
                let inside = block.as_ptr_range();
                let data = params.user_user_info;
                assert!(
                    data.is_empty()
                        || inside.contains(&data.as_ptr()) && data.as_ptr_range().end <= inside.end
                );
            }
        }
        Err(refused) => assert!(refused.status().to_ndis() < 0),
    }
}
