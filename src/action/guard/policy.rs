//! What may be done at all, and how it is confirmed.

use super::Denial;
use crate::action::{Goal, Plan};

/// How a card is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confirm {
    /// By a key.
    #[default]
    Key,
    /// By typing the object's name.
    Name,
}

/// What may be done, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Nothing at all is changed, and nothing is dry-run.
    pub read_only: bool,
    /// Contexts where a name must be typed; `*` stands for anything, as in `prod-*` and `*/prod-*`.
    pub protected: Vec<String>,
    /// How a card is confirmed elsewhere.
    pub confirm: Confirm,
    /// By how many replicas a scale may differ from what there is; `None`: by any number.
    pub max_scale_step: Option<u32>,
    /// How long after its dry run a card may be confirmed (s).
    pub expires_s: f64,
}

impl Default for Policy {
    /// Read-only, until somebody decides otherwise.
    fn default() -> Self {
        Self {
            read_only: true,
            protected: Vec::new(),
            confirm: Confirm::Key,
            max_scale_step: Some(4),
            expires_s: 120.0,
        }
    }
}

impl Policy {
    /// Whether a plan may be followed at all.
    pub(super) fn allows(&self, plan: &Plan) -> Result<(), Denial> {
        if self.read_only {
            return Err(Denial::ReadOnly);
        }
        if let (Goal::Replicas(to), Some(from), Some(most)) =
            (&plan.goal, plan.precondition.replicas, self.max_scale_step)
            && to.abs_diff(from) > most
        {
            return Err(Denial::TooFar { step: to.abs_diff(from), most });
        }
        Ok(())
    }

    /// How this plan is confirmed: by name in a protected context, and where somebody is likely to take it back.
    pub(super) fn confirm(&self, plan: &Plan) -> Confirm {
        if self.protects(&plan.target.context) || plan.reverted_by().is_some() { Confirm::Name } else { self.confirm }
    }

    fn protects(&self, context: &str) -> bool {
        self.protected.iter().any(|pattern| matches(pattern, context))
    }
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        // The first place leaves the most to what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything_wherever_it_stands() {
        let arn = "arn:aws:eks:eu-west-1:1:cluster/prod-a";
        for (pattern, text, expected) in [
            ("prod-*", "prod-use1", true),
            ("prod-*", "preprod-use1", false),
            ("prod", "prod", true),
            ("prod", "prod-use1", false),
            ("*/prod-*", arn, true),
            ("*prod*", arn, true),
            ("*-prod", "gke_x_eu_a-prod", true),
            ("*-prod", "gke_x_eu_a-prod-2", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abb", true),
            ("*", "", true),
            ("", "x", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
