//! The one line into which something is typed, and what becomes of it.

use super::{App, Effect, View};

/// The most characters that are typed: a note is the longest.
const MOST_TYPED: usize = 200;

/// What is being typed, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// So far.
    pub text: String,
    /// For what.
    pub asks: Asking,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// What to look for, or to filter by.
    Find,
    /// Why a way is taken that is not recommended.
    Reason {
        /// The edge's identity in its state.
        edge: String,
    },
    /// The object's name, to confirm its card.
    Name,
    /// A note for the record.
    Note,
}

impl App {
    pub(super) fn ask(&mut self, asks: Asking) {
        self.prompt = Some(Prompt { text: String::new(), asks });
    }

    /// What is looked for while it is being typed.
    pub fn finding(&self) -> Option<&str> {
        self.prompt.as_ref().filter(|p| p.asks == Asking::Find).map(|p| p.text.as_str())
    }

    pub(super) fn typed(&mut self, c: char) {
        let Some(prompt) = &mut self.prompt else { return };
        if !c.is_control() && prompt.text.chars().count() < MOST_TYPED {
            prompt.text.push(c);
            self.changed = true;
            self.settle_cursor();
        }
    }

    pub(super) fn erase(&mut self, all: bool) {
        if let Some(prompt) = &mut self.prompt {
            if all {
                prompt.text.clear();
            } else {
                prompt.text.pop();
            }
        }
        self.settle_cursor();
    }

    /// What was typed is taken.
    pub(super) fn accept(&mut self) -> Vec<Effect> {
        let Some(Prompt { text, asks }) = self.prompt.take() else { return Vec::new() };
        match asks {
            Asking::Find => {
                self.cursor_mut().find = text;
                if self.view() == View::Chooser {
                    return self.pick();
                }
                if !self.view().filters() {
                    self.find_from(0);
                }
                Vec::new()
            }
            Asking::Reason { edge } => {
                if text.trim().is_empty() {
                    self.notice("a reason is needed: somebody will ask tomorrow why this way was taken");
                    self.ask(Asking::Reason { edge });
                    return Vec::new();
                }
                self.take_way(&edge, Some(text))
            }
            Asking::Name => self.confirm(Some(text)),
            Asking::Note => self.note(text),
        }
    }
}
