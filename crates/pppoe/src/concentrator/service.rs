//! What an Access Concentrator offers.

/// The services on offer, as the caller keeps them. Both functions are called with the [`Concentrator`] borrowed,
/// under the caller's lock if there is one: they must be quick, and call nothing that takes that lock.
///
/// [`Concentrator`]: super::Concentrator
pub trait Services {
    /// The offer that the Service-Name `name` asks for; `None`: there is none. An empty name asks for any service.
    /// The names are octets, compared as such (Appendix A: UTF-8, not terminated). What the index means is the
    /// caller's affair; it comes back in [`Request::offer`](super::Request::offer).
    fn find(&self, name: &[u8]) -> Option<u32>;

    /// The `nth` name, from 0, to be listed in a PADO beside the one asked for. `None`: there are no more. Names that
    /// no longer fit the frame are left out whole, so what matters should come first.
    fn name(&self, nth: u32) -> Option<&[u8]>;
}

/// Offers are places in the list; the first serves who asks for any.
impl Services for [&[u8]] {
    fn find(&self, name: &[u8]) -> Option<u32> {
        let place = self.iter().position(|&offered| name.is_empty() || offered == name)?;
        u32::try_from(place).ok()
    }

    fn name(&self, nth: u32) -> Option<&[u8]> {
        self.get(usize::try_from(nth).ok()?).copied()
    }
}

impl<const N: usize> Services for [&[u8]; N] {
    fn find(&self, name: &[u8]) -> Option<u32> {
        self.as_slice().find(name)
    }

    fn name(&self, nth: u32) -> Option<&[u8]> {
        self.as_slice().name(nth)
    }
}
