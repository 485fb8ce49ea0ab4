//! Numbers that nobody can foresee.

use core::ptr;

use ndis_sys::{BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom};

use crate::irql::Passive;
use crate::status::{Result, Status};

/// `BCryptGenRandom`: octets of the system's cryptographic generator. The page wants `PASSIVE_LEVEL` for the generator
/// that needs no handle.
pub fn random<const N: usize>(_irql: &Passive) -> Result<[u8; N]> {
    let mut octets = [0; N];
    let length = u32::try_from(N).map_err(|_| Status::RESOURCES)?;
    let (algorithm, flags) = (ptr::null_mut(), BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    // SAFETY: the buffer has that length; with this flag the handle is to be NULL.
    let status = unsafe { BCryptGenRandom(algorithm, octets.as_mut_ptr(), length, flags) };
    if status == 0 { Ok(octets) } else { Err(Status::RESOURCES) }
}
