//! A VLAN, end to end: the peer is behind a trunk that puts tags on and takes them off.

use std::{
    os::fd::RawFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use ndis_sim::{
    ndis::status,
    nic::Model,
    wire::{
        Wire,
        frame::{DISCOVERY, Frame},
    },
};
use scenarios::{Card, Record, blocks::Destination, lab::sleep, some_of};

use crate::common::{assert_works, echo, from_peer, missing, on_station, some, with_number};

/// Ethertype behind the tag, and the tag, of a frame.
type Sent = (u16, Option<u16>);

/// What passed a trunk, and what it shall bring from elsewhere.
#[derive(Clone, Default)]
struct Log {
    sent: Arc<Mutex<Vec<Sent>>>,
    inject: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// The tag of a frame, and the frame without it.
fn untag(frame: &[u8]) -> (Option<u16>, Vec<u8>) {
    match frame {
        addresses if frame.len() > 16 && frame[12..14] == [0x81, 0x00] => {
            let tag = u16::from_be_bytes([frame[14], frame[15]]);
            (Some(tag), [&addresses[..12], &frame[16..]].concat())
        }
        _ => (None, frame.to_vec()),
    }
}

/// The frame with a tag.
fn tag(frame: &[u8], tag: Option<u16>) -> Vec<u8> {
    let Some(tag) = tag else { return frame.to_vec() };
    let mut frame = frame.to_vec();
    // The far end pads before it tags.
    frame.resize(frame.len().max(60), 0);
    [&frame[..12], &[0x81, 0x00], &tag.to_be_bytes(), &frame[12..]].concat()
}

/// A switch whose port to the host is a trunk and whose port to the peer belongs to one VLAN.
struct Trunk {
    inner: Box<dyn Wire>,
    vlan: Option<u16>,
    log: Log,
    next_look: Duration,
}

/// How often it looks for frames to bring.
const LOOK: Duration = Duration::from_millis(1);

impl Wire for Trunk {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        let (tag, plain) = untag(frame);
        let ethertype = u16::from_be_bytes([plain[12], plain[13]]);
        self.log.sent.lock().expect("no panic").push((ethertype, tag));
        // A priority tag, of id 0, is of the port's own VLAN.
        let id = tag.map(|tag| tag & 0xfff).filter(|&id| id != 0);
        if id == self.vlan {
            self.inner.send(now, &plain);
        }
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now >= self.next_look {
            self.next_look = now + LOOK;
        }
        let foreign = self.log.inject.lock().expect("no panic").pop();
        foreign.or_else(|| self.inner.receive(now).map(|frame| tag(&frame, self.vlan)))
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.inner.deadline().map_or(self.next_look, |at| at.min(self.next_look)))
    }

    fn fd(&self) -> Option<RawFd> {
        self.inner.fd()
    }
}

/// A card on a trunk, set to `vlan` and `priority`, whose peer is in `peer`.
fn trunk(model: Model, vlan: u32, priority: u32, peer: Option<u16>) -> (Card, Log) {
    let log = Log::default();
    let other = log.clone();
    let card = Card::new(model)
        .wrapped(move |inner| Box::new(Trunk { inner, vlan: peer, log: other, next_look: LOOK }));
    (with_number(with_number(card, "VlanId", vlan), "VlanPriority", priority), log)
}

#[test]
fn calls_go_through_a_vlan() {
    for model in Model::ALL {
        for (vlan, priority) in some_of([(7, 6), (0, 0), (4094, 1), (7, 0), (0, 5)], 2) {
            let peer = u16::try_from(vlan).ok().filter(|&id| id != 0);
            let (card, log) = trunk(model, vlan, priority, peer);
            let run = on_station(1, card, |_, station| {
                let vc = station.connected();
                assert_works(&vc);
                let longest = some(1494, 0..8);
                echo(&vc, &longest);
                assert!(missing(&vc, &longest).is_empty(), "frames of full size");
                station.finish(&vc);
            });
            run.clean();
            let vlan = u16::try_from(vlan).expect("an id");
            let (data, control) = (vlan, u16::try_from(priority << 13).expect("a tag") | vlan);
            for &(ethertype, tag) in log.sent.lock().expect("no panic").iter() {
                let wanted = if ethertype == DISCOVERY { control } else { data };
                // Without a VLAN only a priority needs a tag.
                let wanted = (vlan != 0 || wanted != 0).then_some(wanted);
                assert_eq!(tag, wanted, "{model}, VLAN {vlan}, ethertype {ethertype:#06x}");
            }
        }
    }
}

#[test]
fn a_peer_in_another_vlan_is_not_heard() {
    for (vlan, peer) in [(7, Some(8)), (7, None), (0, Some(7))] {
        let (card, _) = trunk(Model::I82574l, vlan, 0, peer);
        let run = on_station(1, card, |_, station| {
            let vc = station.vc();
            let status = station.outcome(&vc, &Destination::default());
            assert_eq!(ndis_sim::ndis::client::delete_vc(&vc), status::SUCCESS);
            status::name(status)
        });
        assert_eq!(run.clean(), "TAPI_DISCONNECTMODE_NOANSWER", "VLAN {vlan}, peer {peer:?}");
    }
}

#[test]
fn frames_of_a_session_in_a_foreign_vlan_are_dropped() {
    for model in Model::ALL {
        let (card, log) = trunk(model, 7, 0, Some(7));
        let run = on_station(1, card, move |_, station| {
            let vc = station.connected();
            let session = station.tally.borrow().open[0];
            let mac = [0x02, 0, 0, 0, 0, 1];
            let like = Frame {
                destination: [0; 6],
                source: mac,
                ethertype: DISCOVERY,
                code: 0,
                session: 0,
                payload: Vec::new(),
            };
            let payload = some(200, 0..1).remove(0);
            let frame = from_peer(&like, session, &payload);
            let received = |frame: Vec<u8>| {
                log.inject.lock().expect("no panic").push(frame);
                sleep(Duration::from_millis(5));
                Record::of(&vc).received.borrow().len()
            };
            assert_eq!(received(tag(&frame, Some(8))), 0, "another VLAN");
            assert_eq!(received(tag(&frame, Some(0))), 0, "a priority tag only");
            assert_eq!(received(frame.clone()), 0, "untagged");
            assert_eq!(received(tag(&frame, Some(0xe007))), 1, "ours, at whatever priority");
            assert_eq!(*Record::of(&vc).received.borrow(), [payload]);
            assert_works(&vc);
            station.finish(&vc);
        });
        run.clean();
    }
}
