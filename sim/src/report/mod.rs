//! A run as people read it: each step as it happens, then a summary; or as one JSON object.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use crate::{machine::Step, scenario::Outcome};

/// One line a step: virtual time, actor, what was done.
pub fn step(time: Duration, step: &Step) -> String {
    format!("{:>13} {:<8} {}", Micros(time), step.actor, step.text)
}

/// Time in microseconds with three digits for the nanoseconds.
struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        f.pad(&format!("{}.{:03} us", nanoseconds / 1000, nanoseconds % 1000))
    }
}

/// The outcome as one line of JSON.
///
/// # Errors
/// Never for an outcome that a run made: it holds no map with keys that are not text.
pub fn json(outcome: &Outcome) -> serde_json::Result<String> {
    serde_json::to_string(outcome)
}

/// The summary that ends a run.
pub fn summary(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(&mut text, outcome);
    text
}

fn write_summary(text: &mut String, outcome: &Outcome) -> fmt::Result {
    writeln!(text, "\nSummary")?;
    writeln!(text, "  driver     SHA-256 {}", outcome.sys_sha256)?;
    writeln!(text, "  card       {} ({})", outcome.nic, outcome.backend)?;
    writeln!(text, "  peer       {}", outcome.peer)?;
    writeln!(text, "  calls      {} up, {} failed", outcome.calls_up, outcome.calls_failed)?;
    writeln!(
        text,
        "  frames     {} sent ({} bytes), {} came back as they were sent ({} bytes)",
        outcome.frames_sent, outcome.bytes_sent, outcome.frames_received, outcome.bytes_received
    )?;
    write_findings(text, outcome)?;
    match outcome.leaks.as_slice() {
        [] => writeln!(text, "  leaks      none")?,
        leaks => {
            writeln!(text, "  leaks      {}", leaks.len())?;
            leaks.iter().try_for_each(|leak| writeln!(text, "    {leak}"))?;
        }
    }
    if let Some(reason) = &outcome.stopped {
        writeln!(text, "  stopped    {}", reason.replace('\n', "\n             "))?;
    }
    if let Some(reason) = &outcome.gave_up {
        writeln!(text, "  failed     {reason}")?;
    }
    let time = Micros(Duration::from_nanos(outcome.virtual_time_ns));
    writeln!(text, "  time       {time}")?;
    writeln!(text, "  seed       {}", outcome.seed)?;
    writeln!(text, "  event log  {} lines, SHA-256 {}", outcome.event_log_lines, outcome.event_log_sha256)?;
    if let Some(path) = &outcome.pcapng {
        let full = match outcome.pcapng_left_out {
            0 => String::new(),
            frames => format!(" (full: {frames} later frames are not in it; --pcap-limit)"),
        };
        writeln!(text, "  capture    {}{full}", path.display())?;
    }
    writeln!(text, "  result     {}", if outcome.ok { "clean" } else { "NOT clean" })
}

fn write_findings(text: &mut String, outcome: &Outcome) -> fmt::Result {
    if outcome.findings.is_empty() {
        return writeln!(text, "  findings   none");
    }
    writeln!(text, "  findings   {}", outcome.findings.len())?;
    // By rule, the worst first; findings of one rule in the order they were made.
    let mut findings: Vec<_> = outcome.findings.iter().collect();
    findings.sort_by(|a, b| (&a.severity, &a.rule).cmp(&(&b.severity, &b.rule)));
    let mut rule = None;
    for found in findings {
        if rule != Some(&found.rule) {
            let statement = found.statement.as_deref().unwrap_or("");
            writeln!(text, "    {} {}  {statement}", found.severity, found.rule)?;
            rule = Some(&found.rule);
        }
        let times = if found.count > 1 { format!(" ({} times)", found.count) } else { String::new() };
        writeln!(text, "       {}{times}", found.detail)?;
        let site = found.call_site.as_deref().map_or_else(String::new, |site| format!(", {site}"));
        writeln!(text, "       at {}{site}", Micros(Duration::from_nanos(found.time_ns)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Found;

    fn found(rule: &str, severity: &str) -> Found {
        Found {
            rule: rule.to_owned(),
            severity: severity.to_owned(),
            statement: Some(format!("{rule} is kept.")),
            detail: "it is not".to_owned(),
            call_site: None,
            time_ns: 1_234_567,
            count: 2,
        }
    }

    #[test]
    fn steps_line_up() {
        let line = step(Duration::from_nanos(1_234_567), &Step::new("NDIS", "adapter 1 running"));
        assert_eq!(line, "  1234.567 us NDIS     adapter 1 running");
    }

    #[test]
    fn json_is_one_object_on_one_line() {
        let outcome = Outcome { seed: 7, findings: vec![found("CO-001", "S1")], ..Outcome::default() };
        let text = json(&outcome).expect("serializable");
        assert!(!text.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&value["seed"], &value["ok"]), (&7.into(), &false.into()));
        assert_eq!(value["findings"][0]["rule"], "CO-001");
        for field in ["sys_sha256", "calls_up", "bytes_received", "leaks", "event_log_sha256", "pcapng"] {
            assert!(value.get(field).is_some(), "{field}");
        }
    }

    #[test]
    fn a_full_capture_is_said() {
        let outcome = Outcome { pcapng: Some("x.pcapng".into()), ..Outcome::default() };
        assert!(summary(&outcome).contains("  capture    x.pcapng\n"));
        let text = summary(&Outcome { pcapng_left_out: 7, ..outcome });
        assert!(text.contains("x.pcapng (full: 7 later frames"), "{text}");
    }

    #[test]
    fn findings_are_grouped_worst_first() {
        let findings = vec![found("CO-2", "S1"), found("CO-9", "S0"), found("CO-2", "S1")];
        let text = summary(&Outcome { findings, leaks: vec!["pool".into()], ..Outcome::default() });
        let (worst, other) = (text.find("S0 CO-9").expect("S0"), text.find("S1 CO-2").expect("S1"));
        assert!(worst < other);
        assert_eq!(text.matches("S1 CO-2").count(), 1, "one heading a rule");
        assert_eq!(text.matches("it is not (2 times)").count(), 3);
        assert!(text.contains("NOT clean") && text.contains("    pool"));
    }
}
