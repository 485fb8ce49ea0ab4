//! What a client asks for in a make call.

use condis::address_family::AddressFamily as Family;
use condis::call_parameters::{Fixed, MAX_SPECIFIC};
use condis::config::Settings;
use condis::destination::Destination;
use condis::{ppp, tapi};
use ndis::{MakeCall, Result, Status};
use pppoe::bounded::Bytes;

use super::from_condis;
use super::lines::Place;
use crate::adapter::settings;

/// A call as the protocol needs it.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) destination: Destination,
    /// The line to be on.
    pub(super) line: Place,
    pub(super) host_uniq: Option<Bytes<{ pppoe::discovery::HOST_UNIQ_MAX }>>,
    /// Largest PPP payload in bytes.
    pub(super) max_payload: u16,
}

impl Wanted {
    /// Reads and checks the parameters of a make call, once, on a copy.
    #[inline(never)]
    pub(super) fn parse(
        call: &MakeCall,
        family: Family,
        settings: &Settings,
        lines: &tapi::Lines,
    ) -> Result<Self> {
        let longest = usize::try_from(MAX_SPECIFIC).unwrap_or(0);
        let mut storage = ndis::memory::zeroed(longest)?;
        let specific = call.parameters().media_specific(&mut storage);
        let fixed = Fixed {
            flags: call.parameters().flags(),
            has_media: specific.is_some(),
            has_party: call.is_multipoint(),
            specific_length: specific.map_or(0, |(_, _, length)| u32::try_from(length).unwrap_or(u32::MAX)),
        };
        fixed.check().map_err(from_condis)?;
        let Some((kind, block, _)) = specific else { return Err(Status::INVALID_DATA) };
        let mut wanted = match family {
            Family::TapiProxy => {
                let request =
                    tapi::make_call::parse(block, lines).map_err(|refused| from_condis(refused.status()))?;
                Self {
                    destination: request.destination,
                    line: Place::of(request.line),
                    host_uniq: None,
                    max_payload: settings.max_payload,
                }
            }
            Family::Ppp => {
                let request =
                    ppp::make_call::parse(kind, block).map_err(|refused| from_condis(refused.status()))?;
                Self {
                    destination: request.destination,
                    line: Place::Nowhere,
                    host_uniq: Bytes::new(request.host_uniq).filter(|bytes| !bytes.as_slice().is_empty()),
                    // The card is set up for frames of this size and no larger.
                    max_payload: request.max_payload.min(settings.max_payload),
                }
            }
        };
        wanted.add_defaults(settings);
        Ok(wanted)
    }

    /// What the call leaves open, the registry may say.
    fn add_defaults(&mut self, settings: &Settings) {
        if self.destination.service.is_empty() {
            self.destination.service = settings.service_name;
        }
        if self.destination.access_concentrator.is_empty() {
            self.destination.access_concentrator = settings.ac_name;
        }
        if self.host_uniq.is_none() && !settings.host_uniq.is_empty() {
            self.host_uniq = Bytes::new(settings.host_uniq.as_bytes());
        }
    }

    /// The same for the protocol engine.
    pub(super) fn discovery(&self, own: pppoe::Address, settings: &Settings) -> pppoe::Config<'_> {
        let mut config = pppoe::Config::new(own).with_service_name(self.destination.service.as_bytes());
        let concentrator = self.destination.access_concentrator.as_bytes();
        config.ac_name = (!concentrator.is_empty()).then_some(concentrator);
        config.host_uniq = self.host_uniq.as_ref().map(Bytes::as_slice);
        config.max_payload = self.max_payload;
        config.credits = settings::credits_to_ask_for(settings);
        config.timing.padi.tries = settings.padi_tries;
        config
    }
}
