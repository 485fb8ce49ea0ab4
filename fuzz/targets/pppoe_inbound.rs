//! Any frame is refused or understood, and what is understood can be written again.

use pppoe::extension::{Metrics, Quality};
use pppoe::{Address, Extension, Inbound, Packet, Repr, Tags};

/// Judges one input.
pub(crate) fn run(frame: &[u8]) {
    let own = frame.first_chunk().map_or(Address([2; 6]), |&octets| Address(octets));
    match Inbound::parse(frame, own) {
        Ok(Inbound::Host(repr) | Inbound::Concentrator(repr)) => {
            let mut buffer = vec![0; repr.buffer_len()];
            assert_eq!(repr.emit(&mut buffer), Ok(buffer.len()));
            let packet = Packet::parse(&buffer).expect("a packet");
            let back = Repr::parse(&packet).expect("the same");
            assert_eq!(Repr { tags: Tags::EMPTY, ..back }, Repr { tags: Tags::EMPTY, ..repr });
        }
        Ok(Inbound::Terminate(padt)) => {
            assert!(padt.emit(own, &mut [0; 136]).is_ok());
        }
        Ok(Inbound::Data(data)) => assert!(data.ppp.len() >= 2 && data.protocol & 0x0100 == 0),
        Ok(Inbound::Extension(Extension::Quality(quality))) => {
            let mut buffer = [0; Quality::FRAME_LEN];
            assert_eq!(quality.emit(own, &mut buffer), Ok(buffer.len()));
            if let Some(metrics) = quality.metrics {
                assert!(metrics.text().as_str().starts_with("link quality "));
                assert!(metrics.link_quality <= 100 && metrics.resources <= 100);
                // Rates come back but for what the scale of 16 bits cannot hold.
                let back = Metrics::parse(&metrics.to_bytes()).expect("metrics");
                assert!(
                    back.current_rate <= metrics.current_rate && back.maximum_rate <= metrics.maximum_rate
                );
                assert_eq!(Metrics::parse(&back.to_bytes()), Some(back));
            }
        }
        Ok(Inbound::Extension(Extension::Message(message))) => {
            assert!(message.text().as_str().chars().all(|c| !c.is_control()));
        }
        Ok(Inbound::Extension(Extension::Routes(routes))) => {
            assert_eq!(routes.text().is_empty(), routes.routes().next().is_none());
        }
        Ok(Inbound::Extension(_)) | Err(_) => {}
    }
}
