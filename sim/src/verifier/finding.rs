//! Findings: violated rules, with what is needed to find the cause.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use super::catalogue::{self, Severity};
use crate::machine::Machine;
use crate::memory::ObjectId;

/// A violation of a rule.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule's identifier.
    pub rule: Cow<'static, str>,
    /// How bad it is.
    pub severity: Severity,
    /// What the rule asks for, if the catalogue knows it.
    pub statement: Option<&'static str>,
    /// The export the driver called, if one was in progress, and where from.
    pub call_site: Option<String>,
    /// The driver's entry points in progress, innermost last.
    pub extent: Vec<&'static str>,
    /// The activity.
    pub activity: Option<String>,
    /// The virtual processor.
    pub cpu: usize,
    /// The IRQL.
    pub irql: u8,
    /// The object concerned.
    pub object: Option<ObjectId>,
    /// What happened.
    pub detail: String,
    /// The seed that shows it again.
    pub seed: u64,
    /// When it happened first.
    pub time: Duration,
    /// How often the same was found at the same place.
    pub count: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.rule)?;
        if let Some(object) = self.object {
            write!(f, " {object}")?;
        }
        write!(f, ": {}", self.detail)?;
        if let Some(site) = &self.call_site {
            write!(f, " [{site}]")?;
        }
        if let Some(entry) = self.extent.last() {
            write!(f, " in {entry}")?;
        }
        write!(f, " at {:?}, seed {:#x}", self.time, self.seed)?;
        if self.count > 1 {
            write!(f, " ({} times)", self.count)?;
        }
        Ok(())
    }
}

/// What was found in a machine.
#[derive(Default)]
pub struct Verifier {
    findings: RefCell<Vec<Finding>>,
}

impl Verifier {
    /// What was found, in the order in which it was found first.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.borrow().clone()
    }

    /// How often the rule was violated.
    pub fn count(&self, rule: &str) -> u64 {
        self.findings
            .borrow()
            .iter()
            .filter(|finding| finding.rule == rule)
            .map(|finding| finding.count)
            .sum()
    }
}

impl Machine {
    /// Records a violation of `rule`; where, when and by whom is added. In any context.
    pub fn finding(&self, rule: impl Into<Cow<'static, str>>, object: Option<ObjectId>, detail: String) {
        let rule = rule.into();
        #[cfg(test)]
        super::trips::found(&rule);
        let known = catalogue::find(&rule);
        debug_assert!(known.is_some(), "{rule} is not in the catalogue");
        let call_site = self.call_site();
        self.log(format_args!("! {rule} {detail}"));
        let mut findings = self.verifier().findings.borrow_mut();
        let same = findings.iter_mut().find(|finding| {
            let place = finding.call_site == call_site && (call_site.is_some() || finding.detail == detail);
            finding.rule == rule && place && finding.object == object
        });
        if let Some(same) = same {
            same.count += 1;
            return;
        }
        findings.push(Finding {
            rule,
            severity: known.map_or(Severity::S1, |rule| rule.severity),
            statement: known.map(|rule| rule.statement),
            call_site,
            extent: self.extent(),
            activity: self.with_activity(|activity| activity.label.clone()),
            cpu: self.cpu(),
            irql: self.irql(),
            object,
            detail,
            seed: self.config().seed,
            time: self.now(),
            count: 1,
        });
    }
}
