//! What passes on the cable.

use std::time::Duration;

use super::{Event, IN_CARD, Judged, Key, Reference, SOON};

/// A session that an access concentrator has granted.
#[derive(Debug)]
pub(super) struct Session {
    call: u32,
    granted: Duration,
    /// When its PADS arrived.
    pub(super) confirmed: Option<Duration>,
    /// The peer has ended it.
    hung_up: bool,
    /// When the PADT that says so, or pretends to, arrived.
    good_bye: Option<Duration>,
    /// The host was made to believe in an end of which the peer does not know.
    forged: bool,
    /// The host has ended it.
    terminated: u32,
}

impl Session {
    fn new(call: u32, granted: Duration) -> Self {
        Self { call, granted, confirmed: None, hung_up: false, good_bye: None, forged: false, terminated: 0 }
    }
}

/// PADIs of a call at most: five, and five more after a PADR that was not answered.
const PADIS: u32 = 10;
/// PADRs of a call at most: three, and three more.
const PADRS: u32 = 6;

impl Reference {
    pub(super) fn judge_frame(&mut self, event: Event) -> Judged {
        let now = self.now;
        if matches!(event, Event::Padi { .. } | Event::Padr { .. } | Event::Padt { .. } | Event::Data { .. })
            && (!self.adapter.awake || self.adapter.halted)
        {
            return Err("the card sends while it sleeps or after the halt".to_owned());
        }
        match event {
            Event::Padi { call } => {
                let it = self.calls.get_mut(&call).ok_or("for no call")?;
                it.padis += 1;
                if it.wish.is_bad() || it.padis > PADIS {
                    return Err(format!("{:?}: PADI number {}", it.wish, it.padis));
                }
                self.check_being_made(call)
            }
            Event::Offered { call, ac } => {
                if let Some(it) = self.calls.get_mut(&call) {
                    it.offers.insert(ac);
                }
                Ok(())
            }
            Event::Padr { call, ac } => {
                let it = self.calls.get_mut(&call).ok_or("for no call")?;
                it.padrs += 1;
                if !it.offers.contains(&ac) || it.padrs > PADRS {
                    return Err(format!("offers by {:?}, PADR number {}", it.offers, it.padrs));
                }
                self.check_being_made(call)
            }
            Event::Granted { call, key } => {
                self.sessions.entry(key).or_insert_with(|| Session::new(call, now));
                let it = self.calls.get_mut(&call).ok_or("for no call")?;
                if !it.sessions.contains(&key) {
                    it.sessions.push(key);
                }
                Ok(())
            }
            Event::Established { call, key } => self.established(call, key),
            Event::Confirmed { key } => {
                self.sessions.get_mut(&key).ok_or("unknown")?.confirmed.get_or_insert(now);
                Ok(())
            }
            Event::HungUp { key } => {
                self.sessions.get_mut(&key).ok_or("unknown")?.hung_up = true;
                Ok(())
            }
            Event::Forged { key } => {
                self.sessions.get_mut(&key).ok_or("unknown")?.forged = true;
                Ok(())
            }
            Event::GoodBye { key } => {
                let it = self.sessions.get_mut(&key).ok_or("unknown")?;
                it.good_bye = Some(now);
                let call = it.call;
                self.calls.get_mut(&call).ok_or("for no call")?.hung_up(now);
                Ok(())
            }
            Event::Padt { key } => self.terminated(key),
            Event::Data { key, frame } => {
                let it = self.sessions.get(&key).ok_or("no such session")?;
                let number = it.call;
                if it.confirmed.is_none() {
                    return Err("nobody has confirmed the session".to_owned());
                }
                let call = self.calls.get_mut(&number).ok_or("for no call")?;
                if call.closed.is_some_and(|at| now > at + IN_CARD) && !call.lossy {
                    return Err("the call is closed".to_owned());
                }
                call.out(now, &frame)
            }
            _ => Ok(()),
        }
    }

    /// A PADS of the card's has reached its host.
    fn established(&mut self, number: u32, key: Key) -> Judged {
        let now = self.now;
        let call = self.calls.get_mut(&number).ok_or("for no call")?;
        call.established(now)?;
        if !call.sessions.contains(&key) {
            call.sessions.push(key);
        }
        let new = Session { confirmed: Some(now), ..Session::new(number, now) };
        let known = self.sessions.get(&key).filter(|known| known.call != number);
        if known.is_some_and(|known| known.terminated == 0 && !known.hung_up) {
            return Err("another call has this session".to_owned());
        }
        if known.is_some() || !self.sessions.contains_key(&key) {
            self.sessions.insert(key, new);
        }
        Ok(())
    }

    /// Discovery ends with the call, but for what is in the card.
    fn check_being_made(&self, number: u32) -> Judged {
        let call = &self.calls[&number];
        match call.made {
            Some((at, _)) if self.now > at + IN_CARD && !call.lossy => {
                Err(format!("the call on VC {:?} was made at {at:?}", self.vc_of(number)))
            }
            _ => Ok(()),
        }
    }

    fn terminated(&mut self, key: Key) -> Judged {
        let now = self.now;
        let it = self.sessions.get_mut(&key).ok_or("a session that never was")?;
        it.terminated += 1;
        let call = &self.calls[&it.call];
        if it.confirmed.is_none() {
            return Err("the host cannot know the session".to_owned());
        }
        if it.good_bye.is_some_and(|at| now > at + IN_CARD) && !call.lossy {
            return Err("the peer has said goodbye".to_owned());
        }
        // A repeated PADS of a call that has ended is answered again.
        if it.terminated > 3 {
            return Err(format!("PADT number {}", it.terminated));
        }
        let its_own = call.sessions.first() == Some(&key);
        if its_own && call.made.is_some() && !call.may_end() {
            return Err("the call is up".to_owned());
        }
        Ok(())
    }

    /// A session whose call is over has ended, unless frames may have been lost.
    pub(super) fn check_sessions(&self) -> Judged {
        for (key, it) in &self.sessions {
            let ended = it.hung_up || it.forged || it.terminated != 0;
            let call = &self.calls[&it.call];
            let Some(over) = call.over().filter(|_| !ended && !call.lossy) else { continue };
            if self.now > over.max(it.granted) + SOON {
                return Err(format!("{key:?} of call {} got no PADT", it.call));
            }
        }
        Ok(())
    }
}
