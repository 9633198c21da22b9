//! Everything that can be asked for, what it is called, and in which section of the help it stands.

use crate::domain::codes;

codes! {
    /// Everything that can be asked for. The codes are those of the keymap's file.
    Command {
        /// Leave the program.
        Quit = "quit",
        /// Leave this view, or take back what was typed.
        Back = "back",
        /// Choose what is watched.
        Choose = "choose",
        /// Look through all namespaces, or only the one.
        AllNamespaces = "all_namespaces",
        /// What the recommendation rests on.
        Open = "open",
        /// One up.
        Up = "up",
        /// One down.
        Down = "down",
        /// One to the left: the replica before.
        Left = "left",
        /// One to the right: the replica after.
        Right = "right",
        /// A screenful up.
        PageUp = "page_up",
        /// A screenful down.
        PageDown = "page_down",
        /// The first.
        Top = "top",
        /// The last.
        Bottom = "bottom",
        /// The findings and their evidence.
        Evidence = "evidence",
        /// The replicas.
        Replicas = "replicas",
        /// The revisions.
        Revisions = "revisions",
        /// The GPUs.
        Gpus = "gpus",
        /// A replica's log.
        Logs = "logs",
        /// The changes.
        Timeline = "timeline",
        /// The runbook.
        Runbook = "runbook",
        /// The sources.
        Sources = "sources",
        /// The keys.
        Help = "help",
        /// The view after this one.
        NextView = "next_view",
        /// The view before this one.
        PreviousView = "previous_view",
        /// Find, or filter.
        Find = "find",
        /// The next match.
        FindNext = "find_next",
        /// The match before.
        FindPrevious = "find_previous",
        /// Take what was typed.
        Accept = "accept",
        /// Take one character back.
        Erase = "erase",
        /// Take everything back.
        EraseAll = "erase_all",
        /// Hold the picture still, or let it go on.
        Hold = "hold",
        /// Follow the log's end, or stay.
        Follow = "follow",
        /// The next line of the log that matters.
        NextMark = "next_mark",
        /// The log of the pod's next container.
        NextContainer = "next_container",
        /// The log of the run before the last restart, or of this one.
        RunBefore = "run_before",
        /// Take the way that the runbook recommends.
        Go = "go",
        /// The other ways out of the runbook's state.
        Ways = "ways",
        /// One step back in the runbook.
        StepBack = "step_back",
        /// Begin the runbook again, because it broke again or the last run is over.
        Again = "again",
        /// Write a note into the record.
        Note = "note",
        /// Go on with the incident that is on record.
        Resume = "resume",
        /// Leave that one, and begin a new record.
        BeginAnew = "begin_anew",
        /// Take the record over from another war room.
        TakeOver = "take_over",
        /// The levers, each with whether it helps.
        Levers = "levers",
        /// Undo the rollout: opens its card.
        Undo = "undo",
        /// Set another number of replicas: opens its card.
        Scale = "scale",
        /// Do what the card says.
        Confirm = "confirm",
        /// One more: a replica, a later revision.
        More = "more",
        /// One fewer: a replica, an earlier revision.
        Fewer = "fewer",
        /// Show it to others: names masked, calm.
        Present = "present",
        /// Write the screen to a file.
        SaveFrame = "save_frame",
        /// Paint everything anew.
        Redraw = "redraw",
        /// Back to the shell for a while.
        Suspend = "suspend",
    }
}

impl Command {
    /// What it is called beside its key.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Back => "back",
            Self::Choose => "choose",
            Self::AllNamespaces => "namespaces",
            Self::Open => "open",
            Self::Up => "up",
            Self::Down => "down",
            Self::Left => "previous",
            Self::Right => "next",
            Self::PageUp => "page up",
            Self::PageDown => "page down",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::Evidence => "evidence",
            Self::Replicas => "pods",
            Self::Revisions => "revisions",
            Self::Gpus => "gpus",
            Self::Logs => "logs",
            Self::Timeline => "timeline",
            Self::Runbook => "runbook",
            Self::Sources => "sources",
            Self::Help => "help",
            Self::NextView => "next view",
            Self::PreviousView => "previous view",
            Self::Find => "find",
            Self::FindNext => "next match",
            Self::FindPrevious => "match before",
            Self::Accept => "take",
            Self::Erase => "erase",
            Self::EraseAll => "erase all",
            Self::Hold => "hold",
            Self::Follow => "follow",
            Self::NextMark => "next that matters",
            Self::NextContainer => "container",
            Self::RunBefore => "run before",
            Self::Go => "go on",
            Self::Ways => "other ways",
            Self::StepBack => "step back",
            Self::Again => "again",
            Self::Note => "note",
            Self::Resume => "resume",
            Self::BeginAnew => "begin anew",
            Self::TakeOver => "take over",
            Self::Levers => "levers",
            Self::Undo => "undo",
            Self::Scale => "scale",
            Self::Confirm => "do it",
            Self::More => "more",
            Self::Fewer => "fewer",
            Self::Present => "present",
            Self::SaveFrame => "save screen",
            Self::Redraw => "redraw",
            Self::Suspend => "shell",
        }
    }

    /// A line of help.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Quit => "leave the program; a change that was sent goes on in the cluster, and the record stays",
            Self::Back => "back to the view before, or take the filter away",
            Self::Choose => "what serves models here, worst first: type to filter, enter watches it",
            Self::AllNamespaces => "in the choice: all namespaces, or only the one",
            Self::Open => "go deeper: the way, the lever, the log of what is selected",
            Self::Up => "one up",
            Self::Down => "one down",
            Self::Left => "the log of the replica before",
            Self::Right => "the log of the replica after",
            Self::PageUp => "a screenful up",
            Self::PageDown => "a screenful down",
            Self::Top => "to the first",
            Self::Bottom => "to the last",
            Self::Evidence => {
                "every finding: its numbers, thresholds, sources, and the line that shows the same by hand"
            }
            Self::Replicas => "every replica: revision, node, start, phases, waiting, KV cache",
            Self::Revisions => "revisions side by side: latency of each, and what its template changed",
            Self::Gpus => "every GPU: clocks, throttling, heat, power, ECC, and how much of it is proven",
            Self::Logs => "the log of the selected replica, or of the suspect",
            Self::Timeline => "everything that changed, and how long before or after the onset",
            Self::Runbook => "RB-6: where it stands, its checks, the way it recommends and why",
            Self::Sources => "every source: state, age, what is wrong with it and what to do",
            Self::Help => "this page",
            Self::NextView => "the next view",
            Self::PreviousView => "the view before",
            Self::Find => "filter a list, or find in evidence and logs",
            Self::FindNext => "the next line that matches",
            Self::FindPrevious => "the line before that matches",
            Self::Accept => "keep what was typed and go back to the list",
            Self::Erase => "take one character back",
            Self::EraseAll => "take everything back",
            Self::Hold => "hold the picture still while reading; readings go on behind it",
            Self::Follow => "stay at the end of the log, or stop there",
            Self::NextMark => "the next line that matters: out of memory, preempted, CUDA and NCCL trouble, errors",
            Self::NextContainer => "the log of the pod's next container",
            Self::RunBefore => "the log of the run before the last restart, or of this one",
            Self::Go => "take the way that the runbook recommends; nothing in the cluster is touched",
            Self::Ways => "every way out of the runbook's state; one that is not recommended asks for a reason",
            Self::StepBack => "one step back in the runbook",
            Self::Again => "begin the runbook again, because it broke again or the last run is over",
            Self::Note => "write a note into the record, with the time and your name",
            Self::Resume => "go on with the incident that is on record, where it stood",
            Self::BeginAnew => "leave the record that was found as it is, and begin a new one",
            Self::TakeOver => "take the incident over from the war room that has it; it looks on from then",
            Self::Levers => "every lever: whether it helps against this, and why; enter opens its card",
            Self::Undo => "undo the rollout: shows its card; nothing is done before you confirm there",
            Self::Scale => "another number of replicas: shows its card; nothing is done before you confirm there",
            Self::Confirm => "do what the card on the screen says; on record before it is sent",
            Self::More => "one replica more, or a later revision",
            Self::Fewer => "one replica fewer, or an earlier revision",
            Self::Present => "for a shared screen: names masked, calm, the verdict large",
            Self::SaveFrame => "write this screen to a file, as a picture and as text",
            Self::Redraw => "paint everything anew",
            Self::Suspend => "back to the shell; `fg` brings the war room back",
        }
    }
}

/// What a command is for: the sections of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Walks the runbook, and keeps the record.
    Walking,
    /// Changes the cluster, through a card.
    Acting,
    /// Opens a view.
    Views,
    /// Moves in it.
    Moving,
    /// Looks for something in it.
    Finding,
    /// The rest.
    Program,
}

impl Group {
    /// What stands above it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Walking => "Walk the runbook",
            Self::Acting => "Act",
            Self::Views => "Look at",
            Self::Moving => "Move",
            Self::Finding => "Find",
            Self::Program => "This program",
        }
    }
}

impl Command {
    /// Its section.
    pub const fn group(self) -> Group {
        match self {
            Self::Go
            | Self::Ways
            | Self::StepBack
            | Self::Again
            | Self::Note
            | Self::Resume
            | Self::BeginAnew
            | Self::TakeOver => Group::Walking,
            Self::Levers | Self::Undo | Self::Scale | Self::Confirm | Self::More | Self::Fewer => Group::Acting,
            Self::Choose
            | Self::AllNamespaces
            | Self::Evidence
            | Self::Replicas
            | Self::Revisions
            | Self::Gpus
            | Self::Logs
            | Self::Timeline
            | Self::Runbook
            | Self::Sources
            | Self::Help
            | Self::NextView
            | Self::PreviousView => Group::Views,
            Self::Back
            | Self::Open
            | Self::Up
            | Self::Down
            | Self::Left
            | Self::Right
            | Self::PageUp
            | Self::PageDown
            | Self::Top
            | Self::Bottom
            | Self::Follow
            | Self::NextMark
            | Self::NextContainer
            | Self::RunBefore => Group::Moving,
            Self::Find | Self::FindNext | Self::FindPrevious | Self::Accept | Self::Erase | Self::EraseAll => {
                Group::Finding
            }
            Self::Quit | Self::Hold | Self::Present | Self::SaveFrame | Self::Redraw | Self::Suspend => Group::Program,
        }
    }

    /// Every command, section by section.
    pub fn in_groups() -> impl Iterator<Item = Self> {
        let mut all = Self::ALL.to_vec();
        all.sort_by_key(|c| c.group());
        all.into_iter()
    }
}
