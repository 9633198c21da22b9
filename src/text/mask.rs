//! Names that others need not see on a shared screen: each is replaced by a word that stays the same all along.

use std::collections::{HashMap, HashSet};

/// What kind of name is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaskRule {
    /// Namespaces.
    Namespace,
    /// Nodes.
    Node,
    /// Models.
    Model,
    /// Tenants.
    Tenant,
    /// IP addresses, known before or not.
    Ip,
}

impl MaskRule {
    /// Every rule.
    pub const ALL: [Self; 5] = [Self::Namespace, Self::Node, Self::Model, Self::Tenant, Self::Ip];

    /// What the names are called instead, before their number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Node => "node",
            Self::Model => "model",
            Self::Tenant => "tenant",
            Self::Ip => "ip",
        }
    }
}

/// A name of one character cannot be told from an ordinary letter.
const SHORTEST: usize = 2;

/// More names than this are not told apart: they share their kind's word.
const MOST: usize = 4_096;

/// The names to hide, and what stands for each. Learning the same name again changes nothing, so that `node-1` is the
/// same node all along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    rules: Vec<MaskRule>,
    /// Name and replacement, longest name first: a name may hold another one.
    names: Vec<(String, String)>,
    known: HashSet<String>,
    counts: HashMap<MaskRule, usize>,
}

impl Default for Mask {
    fn default() -> Self {
        Self::new(&MaskRule::ALL)
    }
}

impl Mask {
    /// A mask that hides names of these kinds, and knows none yet.
    pub fn new(rules: &[MaskRule]) -> Self {
        Self { rules: rules.to_vec(), names: Vec::new(), known: HashSet::new(), counts: HashMap::new() }
    }

    /// Learns a name.
    pub fn learn(&mut self, rule: MaskRule, name: &str) {
        if self.known.contains(name) || !self.rules.contains(&rule) || self.names.len() >= MOST {
            return;
        }
        self.known.insert(name.to_owned());
        // As it is shown: cleaned first, then masked.
        let shown = super::clean(name, 1_000);
        if shown.chars().count() < SHORTEST || self.names.iter().any(|(known, _)| *known == shown) {
            return;
        }
        let count = self.counts.entry(rule).or_insert(0);
        *count += 1;
        let instead = format!("{}-{count}", rule.name());
        let at = self.names.partition_point(|(known, _)| known.len() >= shown.len());
        self.names.insert(at, (shown, instead));
    }

    /// The text with every known name replaced where it stands as a word of its own, and every IPv4 address. A name
    /// beside a dash or a dot is replaced too: rather one too many than one too few.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before: Option<char> = None;
        'text: while let Some(c) = rest.chars().next() {
            if !before.is_some_and(char::is_alphanumeric) {
                for (name, instead) in &self.names {
                    let Some(after) = rest.strip_prefix(name.as_str()) else { continue };
                    if after.chars().next().is_some_and(char::is_alphanumeric) {
                        continue;
                    }
                    out.push_str(instead);
                    before = instead.chars().last();
                    rest = after;
                    continue 'text;
                }
                if let Some(after) = self.rules.contains(&MaskRule::Ip).then(|| after_ipv4(rest)).flatten() {
                    out.push_str("ip-x");
                    (before, rest) = (Some('x'), after);
                    continue 'text;
                }
            }
            out.push(c);
            (before, rest) = (Some(c), &rest[c.len_utf8()..]);
        }
        out
    }
}

/// What follows an IPv4 address that begins here.
fn after_ipv4(text: &str) -> Option<&str> {
    let mut rest = text;
    for part in 0..4 {
        if part > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let digits = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
        rest[..digits].parse::<u8>().ok()?;
        rest = &rest[digits..];
    }
    (!rest.starts_with(|c: char| c.is_ascii_alphanumeric())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        let mut mask = Mask::default();
        mask.learn(MaskRule::Namespace, "llm-serving");
        mask.learn(MaskRule::Node, "gpu-a");
        mask.learn(MaskRule::Node, "gpu-a.internal");
        mask.learn(MaskRule::Node, "gpu-a");
        mask.learn(MaskRule::Model, "meta/Llama-70b");
        mask
    }

    #[test]
    fn a_name_is_hidden_wherever_it_stands_as_a_word() {
        let mask = mask();
        assert_eq!(mask.apply("kubectl -n llm-serving get pods"), "kubectl -n namespace-1 get pods");
        assert_eq!(mask.apply("model_name=\"meta/Llama-70b\""), "model_name=\"model-1\"");
        assert_eq!(mask.apply("on gpu-a."), "on node-1.");
        assert_eq!(mask.apply("gpu-a.internal and gpu-a-2"), "node-2 and node-1-2");
        assert_eq!(mask.apply("gpu-always"), "gpu-always", "a part of a word is no name");
    }

    #[test]
    fn addresses_are_hidden_whether_known_or_not() {
        assert_eq!(mask().apply("http://10.1.2.3:8000/metrics"), "http://ip-x:8000/metrics");
        assert_eq!(mask().apply("vllm 0.32.0, 1.2.3.4.5"), "vllm 0.32.0, ip-x.5");
        assert_eq!(mask().apply("999.1.2.3"), "999.1.2.3");
    }

    #[test]
    fn only_what_the_rules_name_is_hidden() {
        let mut mask = Mask::new(&[MaskRule::Node]);
        mask.learn(MaskRule::Namespace, "llm-serving");
        mask.learn(MaskRule::Node, "gpu-a");
        assert_eq!(mask.apply("llm-serving on gpu-a at 10.0.0.1"), "llm-serving on node-1 at 10.0.0.1");
    }
}
