//! rp-pppoe's `pppoe-server` for comparison: what it spends on an offer and on a call.
//!
//! The server runs in a network namespace of its own, which is removed afterwards, behind a `veth` cable. Its time is what
//! the scheduler accounts to it and to the processes that it makes for sessions; in the place of `pppd` there is one that
//! does nothing, so that a call costs no more than discovery and the making of a process.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ndis_sim::wire::Wire as _;
use ndis_sim::wire::rp_pppoe::{RpPppoe, Settings};
use serde::Serialize;

use super::packet::{self, AC_COOKIE, BROADCAST, HOST_UNIQ, PADI, PADO, PADR, PADS, PADT, SERVICE_NAME};
use crate::clock::ticks_to_f64;

/// How long one value is measured, and how often; the least processor time and the highest rate count, as what disturbs
/// the machine only adds to the one and takes from the other.
const TIME: Duration = Duration::from_millis(500);
const TURNS: usize = 5;
/// How long nothing may happen before a request is repeated.
const PATIENCE: Duration = Duration::from_millis(200);
/// Requests under way.
const FLOOD: usize = 32;
const CALLS: usize = 8;
/// Most sessions at a time: processes take a moment to end.
const SESSIONS: u16 = 2000;

/// What the server does in a second, and what one of it costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Rate {
    /// By the clock.
    pub(crate) per_second: f64,
    /// Nanoseconds of processor time, those of the processes for sessions included.
    pub(crate) nanoseconds: f64,
}

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// PADI after PADI.
    Offers,
    /// Whole calls: PADI, PADO, PADR, PADS, PADT.
    Calls,
}

/// The server, and clients in this process.
pub(super) struct Server {
    peer: RpPppoe,
    process: u32,
    /// When each client asked last.
    asked: Vec<Instant>,
}

impl Server {
    /// Starts the server. It takes root, and the packages pppoe and iproute2.
    pub(super) fn start() -> Result<Self> {
        let settings = Settings {
            ac_name: "bench".to_owned(),
            service: String::new(),
            sessions: SESSIONS,
            stand_in: std::env::current_exe()?,
            echo: false,
            message: None,
        };
        let peer = RpPppoe::start(&settings).map_err(|error| anyhow::anyhow!("{error}"))?;
        let process = peer.process().context("no server")?;
        Ok(Self { peer, process, asked: Vec::new() })
    }

    /// Measures.
    pub(super) fn rate(&mut self, ask: Ask) -> Result<Rate> {
        let mut best = Rate { per_second: 0.0, nanoseconds: f64::INFINITY };
        for _ in 0..TURNS {
            let turn = self.turn(ask)?;
            best.per_second = best.per_second.max(turn.per_second);
            best.nanoseconds = best.nanoseconds.min(turn.nanoseconds);
        }
        Ok(best)
    }

    fn turn(&mut self, ask: Ask) -> Result<Rate> {
        let clients = if ask == Ask::Offers { FLOOD } else { CALLS };
        let (start, before) = (Instant::now(), time_of(self.process)?);
        self.asked = vec![start; clients];
        (0..clients).for_each(|client| self.solicit(client));
        let mut done = 0;
        while start.elapsed() < TIME {
            let Some(frame) = self.peer.receive(Duration::ZERO) else {
                self.repeat();
                std::thread::yield_now();
                continue;
            };
            done += u64::from(self.answer(&frame, ask));
        }
        let wall = start.elapsed().as_secs_f64();
        ensure!(done > 0, "pppoe-server does not answer");
        let spent = time_of(self.process)? - before;
        Ok(Rate {
            per_second: ticks_to_f64(done) / wall,
            nanoseconds: ticks_to_f64(spent) / ticks_to_f64(done),
        })
    }

    /// Goes on with the client that a frame is for; whether it has what it wants.
    fn answer(&mut self, frame: &[u8], ask: Ask) -> bool {
        let Some((code, session)) = packet::discovery(frame) else { return false };
        let Some(client) = packet::tag(frame, HOST_UNIQ).and_then(number) else { return false };
        let source = &frame[6..12];
        match (code, ask) {
            (PADO, Ask::Offers) => self.solicit(client),
            (PADO, Ask::Calls) => {
                let uniq = token(client);
                let cookie = packet::tag(frame, AC_COOKIE).unwrap_or_default();
                let tags = [(SERVICE_NAME, &[][..]), (HOST_UNIQ, &uniq), (AC_COOKIE, cookie)];
                self.send(&packet::frame(source, station(client), PADR, 0, &tags), client);
                return false;
            }
            (PADS, Ask::Calls) if session != 0 => {
                self.send(&packet::frame(source, station(client), PADT, session, &[]), client);
                self.solicit(client);
            }
            _ => return false,
        }
        true
    }

    fn solicit(&mut self, client: usize) {
        let uniq = token(client);
        let tags = [(SERVICE_NAME, &[][..]), (HOST_UNIQ, &uniq)];
        self.send(&packet::frame(&BROADCAST, station(client), PADI, 0, &tags), client);
    }

    fn send(&mut self, frame: &[u8], client: usize) {
        if let Some(asked) = self.asked.get_mut(client) {
            *asked = Instant::now();
        }
        self.peer.send(Duration::ZERO, frame);
    }

    /// A socket that is full loses frames; whose was lost begins anew.
    fn repeat(&mut self) {
        for client in 0..self.asked.len() {
            if self.asked[client].elapsed() > PATIENCE {
                self.solicit(client);
            }
        }
    }
}

fn token(client: usize) -> [u8; 2] {
    u16::try_from(client).unwrap_or(u16::MAX).to_be_bytes()
}

fn number(token: &[u8]) -> Option<usize> {
    token.try_into().ok().map(u16::from_be_bytes).map(usize::from)
}

fn station(client: usize) -> [u8; 6] {
    let [high, low] = token(client);
    [0x02, 0, 0, 0xC1, high, low]
}

/// Nanoseconds of processor time of a process and of its children that have ended.
fn time_of(process: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/schedstat"))?;
    let own: u64 = text.split_whitespace().next().context("no time in schedstat")?.parse()?;
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may have blanks in it.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    // cutime and cstime are the 16th and the 17th field; the third follows the name.
    let ticks = fields.skip(13).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    // SAFETY: no precondition.
    let hertz = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) })?;
    Ok(own + ticks * (1_000_000_000 / hertz.max(1)))
}
