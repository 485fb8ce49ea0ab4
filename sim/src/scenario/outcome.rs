//! What a run came to.

use std::path::PathBuf;

use serde::Serialize;

use crate::verifier::{Finding, Severity};

/// A violated rule, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The rule's identifier.
    pub rule: String,
    /// `S0` (worst) to `S3`.
    pub severity: String,
    /// What the rule asks for, if it is known.
    pub statement: Option<String>,
    /// What happened.
    pub detail: String,
    /// Where the driver was.
    pub call_site: Option<String>,
    /// When it happened first, in nanoseconds of virtual time.
    pub time_ns: u64,
    /// How often.
    pub count: u64,
}

impl From<&Finding> for Found {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.clone().into_owned(),
            severity: finding.severity.to_string(),
            statement: finding.statement.map(str::to_owned),
            detail: finding.detail.clone(),
            call_site: finding.call_site.clone(),
            time_ns: u64::try_from(finding.time.as_nanos()).unwrap_or(u64::MAX),
            count: finding.count,
        }
    }
}

/// The result of a run. Its fields are the JSON object of `--json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// A clean run: it reached its end, every frame came back as it was sent, nothing was violated or left over.
    pub ok: bool,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the driver's file.
    pub sys_sha256: String,
    /// The card.
    pub nic: String,
    /// Who plays the card.
    pub backend: String,
    /// What it was plugged into.
    pub peer: String,
    /// Calls that came up.
    pub calls_up: u32,
    /// Calls that did not.
    pub calls_failed: u32,
    /// Frames clients sent.
    pub frames_sent: u64,
    /// Frames that came back as they were sent.
    pub frames_received: u64,
    /// Bytes of the frames sent, from the PPP protocol field on.
    pub bytes_sent: u64,
    /// Bytes of the frames received.
    pub bytes_received: u64,
    /// Violated rules.
    pub findings: Vec<Found>,
    /// What was left over.
    pub leaks: Vec<String>,
    /// Why the machine stopped before the end, if it did: a crash, a deadlock, no time left.
    pub stopped: Option<String>,
    /// The first operation that failed, if the script could not do all it wanted.
    pub gave_up: Option<String>,
    /// Kernel calls that can fail: the range of `--fail`.
    pub fallible_calls: u64,
    /// Kernel calls made to fail.
    pub injected_failures: u64,
    /// SHA-256 of the event log: the same for the same seed.
    pub event_log_sha256: String,
    /// Lines of the event log.
    pub event_log_lines: u64,
    /// Virtual time of the run in nanoseconds.
    pub virtual_time_ns: u64,
    /// The capture.
    pub pcapng: Option<PathBuf>,
    /// Frames that the capture, which has a limit, had no room for.
    pub pcapng_left_out: u64,
}

impl Outcome {
    /// Decides whether the run was clean. `may_fail` says that calls may fail without a fault of the driver: the
    /// cable is bad, the peer ends calls by itself, the card is pulled out, or a kernel call was made to fail.
    pub(super) fn judge(&mut self, may_fail: bool) {
        let serious = |found: &Found| found.severity != Severity::S3.to_string();
        let whole = self.calls_failed == 0 && self.frames_received == self.frames_sent;
        let complete = may_fail || self.gave_up.is_none() && whole;
        self.ok =
            self.stopped.is_none() && self.leaks.is_empty() && complete && !self.findings.iter().any(serious);
    }
}
