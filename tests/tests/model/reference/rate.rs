//! Rates of calls: changed, and kept on the cable.

use std::{collections::BTreeSet, time::Duration};

use ndis_sim::ndis::status::{self, Status};

use super::{Event, IN_CARD, Judged, Reference, SOON, call::Call};
use crate::op::Flow;

/// Address and control field, which a client gives and which count.
const HDLC: u64 = 2;
/// What may be on the cable before its time: a frame that was under way, and one that pays its bytes off.
const SLACK: i64 = 3_200;

/// What a call's rate is, and what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// A change that is under way.
    asked: Option<(Duration, Flow)>,
    bucket: Option<Bucket>,
    /// The slowest rate that the call may ever have had.
    slowest: Option<u64>,
    /// Until then frames may be held.
    pub(super) until: Duration,
}

/// What may go out.
#[derive(Debug)]
struct Bucket {
    rate: u64,
    burst: i64,
    left: i64,
    at: Duration,
}

impl Bucket {
    /// `len` bytes go out; whether they may.
    fn take(&mut self, now: Duration, len: u64) -> bool {
        let Some(time) = now.checked_sub(self.at) else { return true };
        let new = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).saturating_mul(self.rate) / 1_000_000;
        self.left = self.left.saturating_add_unsigned(new).min(self.burst + SLACK);
        self.left -= i64::try_from(len).unwrap_or(i64::MAX);
        self.at = now;
        self.left >= 0
    }
}

/// How a change to a flow ends on a call that nothing happens to.
fn end(flow: Flow) -> Status {
    match flow {
        Flow::Slow | Flow::Fast | Flow::Open => status::SUCCESS,
        Flow::TooFast => status::RESOURCES,
        Flow::Contradiction | Flow::Bare => status::INVALID_DATA,
        Flow::Guaranteed | Flow::Receive => status::NOT_SUPPORTED,
    }
}

impl Rate {
    /// So many bytes are in the driver's hands.
    pub(super) fn holds(&mut self, now: Duration, bytes: u64) {
        if let Some(slowest) = self.slowest {
            self.until = self.until.max(now + Duration::from_micros(bytes * 1_000_000 / slowest));
        }
    }

    /// A frame goes out.
    pub(super) fn out(&mut self, now: Duration, frame: &[u8]) -> Judged {
        // While it changes, it may be the one or the other.
        let Some(bucket) = self.bucket.as_mut().filter(|_| self.asked.is_none()) else { return Ok(()) };
        if bucket.take(now, frame.len() as u64 + HDLC) {
            Ok(())
        } else {
            Err(format!("faster than the call's rate: {bucket:?}"))
        }
    }

    /// A change that should have ended.
    pub(super) fn check(&self, now: Duration) -> Judged {
        match self.asked {
            Some((since, flow)) if now > since + SOON => Err(format!("the change to {flow:?} does not end")),
            _ => Ok(()),
        }
    }
}

impl Reference {
    pub(super) fn judge_rate(&mut self, event: &Event) -> Judged {
        let (now, excuses) = (self.now, self.hunger());
        match *event {
            Event::Modify { call, flow } => {
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                it.rate.asked = Some((now, flow));
                if let Some((rate, _)) = flow.rate() {
                    let rate = u64::from(rate);
                    it.rate.slowest = Some(it.rate.slowest.map_or(rate, |slowest| slowest.min(rate)));
                    let held = it.held();
                    it.rate.holds(now, held);
                }
                Ok(())
            }
            Event::Modified { call, status } => {
                self.changed += u32::from(status == status::SUCCESS);
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                it.modified(now, status, excuses)
            }
            _ => Ok(()),
        }
    }
}

impl Call {
    fn modified(&mut self, now: Duration, status: Status, excuses: BTreeSet<Status>) -> Judged {
        let (_, flow) = self.rate.asked.take().ok_or("nobody asked for it")?;
        let mut allowed = BTreeSet::from([end(flow)]);
        if self.may_end() {
            // There may be no active call any more.
            allowed.insert(status::FAILURE);
        }
        allowed.extend(excuses);
        if !allowed.contains(&status) {
            let allowed: Vec<_> = allowed.into_iter().map(status::name).collect();
            return Err(format!("{flow:?}: {} is not one of {allowed:?}", status::name(status)));
        }
        if let Some(bucket) = &mut self.rate.bucket {
            (bucket.left, bucket.at) = (bucket.burst + SLACK, now + IN_CARD);
        }
        if status == status::SUCCESS {
            if self.is_over() {
                return Err("the call is over".to_owned());
            }
            // What is in the card does not wait.
            self.rate.bucket = flow.rate().map(|(rate, burst)| Bucket {
                rate: rate.into(),
                burst: burst.into(),
                left: i64::from(burst) + SLACK,
                at: now + IN_CARD,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_go_and_then_the_rate() {
        let second = Duration::from_secs(1);
        let mut bucket = Bucket { rate: 1000, burst: 500, left: 500, at: second };
        assert!(bucket.take(Duration::ZERO, 10_000), "before it counts");
        assert!(bucket.take(second, 500));
        assert!(bucket.take(second + Duration::from_millis(100), 100));
        assert!(!bucket.take(second + Duration::from_millis(100), 1));
    }
}
