//! What is wrong, in words.

use windrow_core::ops::{Cured, Finding, Severity};

use super::{
    style::{BAD, CARE, FAINT, GOOD, TYPED, paint},
    text::safe,
};

/// A line for each finding, with what to do next and what was done below it.
pub(crate) fn doctor(findings: &[Finding], fates: &[Option<Cured>]) -> String {
    findings.iter().zip(fates).map(|(finding, fate)| told(finding, fate.as_ref())).collect()
}

fn told(finding: &Finding, fate: Option<&Cured>) -> String {
    let mark = match finding.severity {
        Severity::Fine => paint(GOOD, "ok     "),
        Severity::Note => paint(CARE, "note   "),
        Severity::Problem => paint(BAD, "problem"),
    };
    let below = match (fate, &finding.next, &finding.cure) {
        (Some(Ok(done)), ..) => format!("         {}\n", paint(GOOD, safe(done))),
        (Some(Err(why)), ..) => format!("         {}\n", paint(BAD, safe(why))),
        (None, Some(next), _) => format!("         {} {}\n", paint(FAINT, "next:"), paint(TYPED, safe(next))),
        (None, None, Some(_)) => {
            format!("         {} {}\n", paint(FAINT, "next:"), paint(TYPED, "windrow doctor --fix"))
        }
        (None, None, None) => String::new(),
    };
    format!("{mark}  {}\n{below}", safe(&finding.text))
}
