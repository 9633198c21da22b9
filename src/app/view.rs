//! Which view is open, and where in it one stands.

use crate::domain::codes;

codes! {
    /// A view: the main screen answers the four questions, the others are one key away from it.
    View {
        /// What is broken, where, why, and what is safe.
        Main = "main",
        /// The findings with their evidence.
        Evidence = "evidence",
        /// The replicas.
        Replicas = "replicas",
        /// The revisions.
        Revisions = "revisions",
        /// The GPUs.
        Gpus = "gpus",
        /// A log.
        Logs = "logs",
        /// The changes.
        Timeline = "timeline",
        /// The runbook.
        Runbook = "runbook",
        /// The levers.
        Levers = "levers",
        /// What is about to be changed.
        Card = "card",
        /// The sources.
        Sources = "sources",
        /// The keys.
        Help = "help",
        /// What there is to watch.
        Chooser = "chooser",
    }
}

codes! {
    /// What the keys mean just now: a section of the keymap's file.
    Mode {
        /// On the main screen.
        Main = "main",
        /// In a list.
        List = "list",
        /// In a log.
        Logs = "logs",
        /// On the card of a change.
        Card = "card",
        /// While something is typed.
        Prompt = "prompt",
    }
}

impl View {
    /// What stands at its top.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Main => "War room",
            Self::Evidence => "Evidence",
            Self::Replicas => "Replicas",
            Self::Revisions => "Revisions",
            Self::Gpus => "GPUs",
            Self::Logs => "Log",
            Self::Timeline => "Timeline",
            Self::Runbook => "Runbook",
            Self::Levers => "Levers",
            Self::Card => "Change",
            Self::Sources => "Sources",
            Self::Help => "Keys",
            Self::Chooser => "Choose",
        }
    }

    /// Whether what is typed takes lines away; elsewhere it is looked for.
    pub const fn filters(self) -> bool {
        !matches!(self, Self::Main | Self::Evidence | Self::Logs | Self::Runbook | Self::Levers | Self::Card)
    }

    /// Its mode.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Main => Mode::Main,
            Self::Logs => Mode::Logs,
            Self::Card => Mode::Card,
            _ => Mode::List,
        }
    }
}

/// Where one stands in a view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The selected item, counted among those that are shown.
    pub index: usize,
    /// Its key, by which it is found again after the list has changed its order.
    pub key: Option<String>,
    /// What is looked for or filtered by; empty: nothing.
    pub find: String,
}
