//! A Host, an Access Concentrator's packets, and what the tests say about them.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod server;

use pppoe::{Address, Config, Discovery, Event, Inbound, Instant, Repr, SessionKey, TagType, Transmit};

pub(crate) const HOST: Address = Address([2, 0, 0, 0, 0xC1, 1]);
pub(crate) const AC: Address = Address([2, 0, 0, 0, 0xAC, 1]);
pub(crate) const OTHER: Address = Address([2, 0, 0, 0, 0xAC, 2]);

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A frame with the given tags, not padded.
pub(crate) fn frame(
    destination: Address,
    source: Address,
    code: u8,
    session_id: u16,
    tags: &[(TagType, &[u8])],
) -> Vec<u8> {
    let mut payload = Vec::new();
    for (kind, value) in tags {
        payload.extend(u16::from(*kind).to_be_bytes());
        payload.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        payload.extend(*value);
    }
    raw(destination, source, 0x8863, code, session_id, &payload)
}

/// A frame with the given payload, not padded.
pub(crate) fn raw(
    destination: Address,
    source: Address,
    ethertype: u16,
    code: u8,
    session_id: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(destination.0);
    frame.extend(source.0);
    frame.extend(ethertype.to_be_bytes());
    frame.extend([0x11, code]);
    frame.extend(session_id.to_be_bytes());
    frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame
}

/// A call with its time and the frames it sent.
pub(crate) struct Host {
    pub(crate) call: Discovery,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) in_use: Vec<SessionKey>,
}

impl Host {
    pub(crate) fn new(config: &Config<'_>) -> Self {
        let now = at(1000);
        let call = Discovery::new(config, now, 42).unwrap();
        Self { call, now, sent: Vec::new(), in_use: Vec::new() }
    }

    /// A call that has sent its first PADI.
    pub(crate) fn soliciting(config: &Config<'_>) -> Self {
        let mut host = Self::new(config);
        assert_eq!(host.poll().unwrap().unwrap().attempt, 1);
        host
    }

    /// A call that has chosen [`AC`] and sent it the first PADR.
    pub(crate) fn requesting(config: &Config<'_>) -> Self {
        let mut host = Self::soliciting(config);
        assert_eq!(host.receive(&host.pado(AC)), Event::Offered(AC));
        assert_eq!(host.poll().unwrap().unwrap().attempt, 1);
        host
    }

    pub(crate) fn poll(&mut self) -> Result<Option<Transmit>, pppoe::Error> {
        let mut buffer = [0xAA; pppoe::ethernet::MAX_FRAME];
        let sent = self.call.poll(self.now, &mut buffer)?;
        if let Some(sent) = sent {
            self.sent.push(buffer[..sent.len].to_vec());
        }
        Ok(sent)
    }

    /// Waits for the deadline and polls.
    pub(crate) fn wait(&mut self) -> Result<Option<Transmit>, pppoe::Error> {
        self.now = self.call.deadline().expect("a deadline").max(self.now);
        self.poll()
    }

    /// Delivers a frame as a driver would.
    pub(crate) fn receive(&mut self, frame: &[u8]) -> Event {
        let Inbound::Host(packet) = Inbound::parse(frame, HOST).unwrap() else { panic!("not for a Host") };
        self.handle(&packet)
    }

    pub(crate) fn handle(&mut self, packet: &Repr<'_>) -> Event {
        self.call.handle(self.now, packet, |key| self.in_use.contains(&key))
    }

    pub(crate) fn tag(&self, kind: TagType) -> Option<Vec<u8>> {
        let packet = pppoe::Packet::parse(self.sent.last()?).unwrap();
        pppoe::Tags::parse(packet.payload).unwrap().find(kind).map(<[u8]>::to_vec)
    }

    /// The plainest PADO.
    pub(crate) fn pado(&self, from: Address) -> Vec<u8> {
        self.pado_with(from, b"", &[])
    }

    pub(crate) fn pado_with(&self, from: Address, service: &[u8], more: &[(TagType, &[u8])]) -> Vec<u8> {
        let mut tags = vec![
            (TagType::ServiceName, service),
            (TagType::AcName, b"ac".as_slice()),
            (TagType::HostUniq, self.call.host_uniq()),
        ];
        tags.extend(more);
        frame(HOST, from, 0x07, 0, &tags)
    }

    pub(crate) fn pads(&self, from: Address, id: u16, more: &[(TagType, &[u8])]) -> Vec<u8> {
        let mut tags =
            vec![(TagType::ServiceName, b"".as_slice()), (TagType::HostUniq, self.call.host_uniq())];
        tags.extend(more);
        frame(HOST, from, 0x65, id, &tags)
    }
}
