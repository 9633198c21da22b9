//! A frame as a file: plain text, and a picture (SVG) that shows it as the terminal did.

use ratatui::buffer::Buffer;

/// The frame as lines of text, blanks at their ends left out.
pub fn text(_frame: &Buffer) -> String {
    String::new()
}

/// The frame as a picture, on a dark ground or a light one.
pub fn svg(_frame: &Buffer, _dark: bool) -> String {
    String::new()
}
