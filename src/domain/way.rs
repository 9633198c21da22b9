//! The ways to a pod's page, and how one page is reached.

use super::vocabulary::codes;

codes! {
    /// A way from here to a pod's port.
    Via {
        /// A GET that the API server passes on to the pod's address: `pods/proxy`.
        Proxy = "proxy",
        /// A stream through the API server and the node's kubelet, which ends inside of the pod: `pods/portforward`.
        PortForward = "port-forward",
        /// Plain HTTP from here to the pod's address.
        Direct = "direct",
    }
}

impl Via {
    /// What it is called in a sentence: the subresource where there is one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proxy => "pods/proxy",
            Self::PortForward => "port-forward",
            Self::Direct => "direct",
        }
    }
}

/// How a pod's page is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Reached {
    /// The way on which the pod answered last; `None`: it has on none yet.
    pub via: Option<Via>,
    /// The ways that did not lead there when they were last tried, and why, in the order in which they are tried.
    pub failed: Vec<(Via, String)>,
}

impl Reached {
    /// Why the ways that are tried before the one in use are not used, in one sentence; nothing where there are none.
    pub fn instead_of(&self) -> Option<String> {
        let others = self.failed.iter().filter(|(via, _)| Some(*via) < self.via);
        let told: Vec<String> = others.map(|(via, why)| format!("{}: {why}", via.name())).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}
