//! What a rule says: a sentence with its numbers, and everything that speaks for and against it.

use crate::domain::{Action, At, Cause, Code, Confidence, Helps, Mechanism, Phase, Pool, Severity, Slice};

/// Who or what a finding is about. All unknown: the whole target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The endpoint (and engine, where a page has several) or the pod.
    pub replica: Option<String>,
    /// The node.
    pub node: Option<String>,
    /// The revision.
    pub revision: Option<u64>,
    /// The index of the GPU on its node.
    pub gpu: Option<u32>,
    /// The pool of a disaggregated deployment.
    pub pool: Option<Pool>,
    /// Whose requests, where a gateway tells them apart.
    pub slice: Option<Slice>,
}

/// How a value is compared with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Greater.
    Over,
    /// Less.
    Under,
    /// Equal.
    Is,
}

impl Op {
    /// The sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Over => ">",
            Self::Under => "<",
            Self::Is => "=",
        }
    }
}

/// One measured fact that speaks for or against a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The fact in words.
    pub claim: String,
    /// The measured value.
    pub value: f64,
    /// How it compares.
    pub op: Op,
    /// With what.
    pub threshold: Option<f64>,
    /// The unit of both.
    pub unit: &'static str,
    /// The family or what it was computed from.
    pub source: String,
    /// The moment of the last reading that went into it.
    pub at: At,
    /// Whether it speaks for the finding.
    pub supports: bool,
    /// A shell line that shows the same number.
    pub reproduce: Option<String>,
}

/// Whether one lever helps against what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeverAdvice {
    /// The lever.
    pub action: Action,
    /// Whether it helps.
    pub helps: Helps,
    /// Why.
    pub why: String,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its code.
    pub code: Code,
    /// Where the seconds sit.
    pub phase: Phase,
    /// Who it is about.
    pub subject: Subject,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence with the numbers.
    pub summary: String,
    /// For and against.
    pub evidence: Vec<Evidence>,
    /// What would make it surer.
    pub surer: Option<String>,
    /// Levers, those that help first.
    pub levers: Vec<LeverAdvice>,
    /// The request-seconds that it explains; findings are ranked by it.
    pub explains_s: f64,
}

/// The answer to "what is it?".
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The phase.
    pub phase: Phase,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The cause, where one has evidence of its own; `NoneFound` where it was looked for in vain.
    pub cause: Option<Cause>,
    /// How sure.
    pub confidence: Confidence,
    /// Who it is about.
    pub subject: Subject,
}
