//! Any frame is refused or understood, and what is understood can be written again.

use pppoe::{Address, Inbound, Packet, Repr, Tags};

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
        Ok(Inbound::Extension(_)) | Err(_) => {}
    }
}
