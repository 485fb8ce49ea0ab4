//! Deviations that trip rules, and the scripts in which they do.

use super::{Outcome, mini, run};

/// What a driver is put through.
pub(super) type Script = fn();

/// Cases by script. Each line names what the driver does wrong and the rule that finds it; the script leaves no finding
/// with the conforming driver. The scripts of a `pended` group run with every operation pended.
macro_rules! trips {
    ($($name:ident($script:expr $(, $pended:ident)?) { $($deviation:literal => $rule:literal,)* })*) => {
        $(
            #[test]
            fn $name() {
                let pend = [$(stringify!($pended))?].contains(&"pended");
                $crate::ndis::tests::trips::each(&[$(($deviation, $rule)),*], pend, $script);
            }
        )*

        /// The rules that are tripped here.
        pub(super) const TRIPPED: &[&str] = &[$($($rule,)*)*];
    };
}
pub(super) use trips;

/// All rules that are tripped by this part's tests.
pub(crate) fn tripped() -> impl Iterator<Item = &'static str> {
    let all = [
        super::deviations::TRIPPED,
        super::on_card::TRIPPED,
        super::questions::TRIPPED,
        super::readings::TRIPPED,
    ];
    all.into_iter().flatten().copied()
}

/// Each rule is found in one of a few seeds of the script at least, and none in the conforming driver.
pub(super) fn each(cases: &[(mini::Deviation, &str)], pend: bool, script: Script) {
    for seed in 0..4 {
        let Outcome { findings, stuck } = run(seed, "", pend, script);
        assert!(findings.is_empty() && stuck.is_none(), "seed {seed}: {findings:?} {stuck:?}");
    }
    for (deviation, rule) in cases {
        let mut missed = Vec::new();
        let found = (0..4).any(|seed| {
            let outcome = run(seed, deviation, pend, script);
            let found = outcome.has(rule);
            missed.push(outcome);
            found
        });
        assert!(found, "{deviation}: {rule} is not found, but {missed:?}");
    }
}
