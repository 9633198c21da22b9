//! How a container is asked whether it lives: a probe of Kubernetes, as it is declared.

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct HealthProbe {
    /// What is asked, in words: `GET /health`, `TCP 8000`, `exec python ...`, `gRPC`.
    pub asks: String,
    /// The path of a GET; `None` for another kind.
    pub path: Option<String>,
    /// Before the first (s).
    pub initial_delay_s: u32,
    /// From one to the next (s).
    pub period_s: u32,
    /// So many in a row must fail.
    pub failures: u32,
}

impl std::fmt::Display for HealthProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} within {} s", self.asks, self.budget_s())
    }
}

impl HealthProbe {
    /// How long a container may take until it fails for good (s): what a start must fit into.
    pub fn budget_s(&self) -> f64 {
        f64::from(self.initial_delay_s) + f64::from(self.period_s) * f64::from(self.failures)
    }
}
