//! What is on the screen: a pure picture of the state.

use ratatui::Frame;

use super::keymap::Keymap;
use super::look::Look;
use crate::app::App;

/// Paints the state.
pub fn view(_app: &App, _keymap: &Keymap, _look: &Look, _frame: &mut Frame<'_>) {}
