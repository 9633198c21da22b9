//! From a picture of the state to the bytes that change one screen into the next. Sends nothing.

use std::fmt;
use std::io;

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::{Frame, Terminal};

use super::canvas::{Canvas, Ink};
use super::face::keep_to_ascii;

/// Remembers what is on the screen, and makes the bytes of the next frame.
pub struct Painter {
    terminal: Terminal<Canvas>,
    ink: Ink,
    ascii: bool,
}

impl fmt::Debug for Painter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Painter").field("ascii", &self.ascii).finish_non_exhaustive()
    }
}

impl Painter {
    /// For an empty screen of so many columns and rows, which shows nothing but ASCII where `ascii` says so.
    pub fn new((width, height): (u16, u16), ascii: bool) -> io::Result<Self> {
        let ink = Ink::default();
        let terminal = Terminal::new(Canvas::new(ink.clone(), Size::new(width, height)))?;
        Ok(Self { terminal, ink, ascii })
    }

    /// The bytes of the next frame, in a synchronized update, after `preamble`; nothing where nothing looks different and
    /// there is no preamble. `buffer` is an empty one to write them to.
    pub fn paint(
        &mut self,
        preamble: &[u8],
        buffer: Vec<u8>,
        view: impl FnOnce(&mut Frame<'_>),
    ) -> io::Result<Option<Vec<u8>>> {
        let cleared = self.ink.replace(buffer);
        io::Write::write_all(&mut self.ink, preamble)?;
        queue!(self.ink, BeginSynchronizedUpdate)?;
        io::Write::write_all(&mut self.ink, &cleared)?;
        let ascii = self.ascii;
        self.terminal.draw(|frame| {
            view(frame);
            if ascii {
                keep_to_ascii(frame.buffer_mut());
            }
        })?;
        queue!(self.ink, EndSynchronizedUpdate)?;
        let touched = self.terminal.backend_mut().take_touched();
        let bytes = self.ink.replace(Vec::new());
        Ok((touched || !preamble.is_empty()).then_some(bytes))
    }

    /// The next frame is painted whole, in this size.
    pub fn repaint(&mut self, (width, height): (u16, u16)) -> io::Result<()> {
        self.ink.replace(Vec::new());
        self.terminal.backend_mut().set_size(Size::new(width, height));
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    /// The cursor was hidden, whatever it was before.
    pub(super) fn forget_cursor(&mut self) {
        self.terminal.backend_mut().forget_cursor();
    }
}

/// A picture that is drawn on no terminal.
pub(super) fn picture((width, height): (u16, u16), view: impl FnOnce(&mut Frame<'_>)) -> io::Result<Buffer> {
    let mut aside = Terminal::new(Canvas::new(Ink::default(), Size::new(width, height)))?;
    Ok(aside.draw(view)?.buffer.clone())
}

#[cfg(test)]
mod tests {
    use ratatui::widgets::Paragraph;

    use super::*;

    fn painted(painter: &mut Painter, text: &str) -> Option<String> {
        let view = |frame: &mut Frame<'_>| frame.render_widget(Paragraph::new(text), frame.area());
        painter.paint(b"", Vec::new(), view).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_frame_is_one_synchronized_update_of_what_is_different() {
        let mut painter = Painter::new((20, 2), false).unwrap();
        let first = painted(&mut painter, "queue 9.8 s").unwrap();
        assert!(first.starts_with("\u{1b}[?2026h") && first.ends_with("\u{1b}[?2026l"), "{first:?}");
        // Blanks are stepped over and not written.
        assert!(["queue", "9.8"].iter().all(|word| first.contains(word)), "{first:?}");
        assert_eq!(painted(&mut painter, "queue 9.8 s"), None);
        let second = painted(&mut painter, "queue 9.7 s").unwrap();
        assert!(second.contains('7') && !second.contains("queue"), "{second:?}");
    }

    #[test]
    fn a_repaint_clears_and_paints_everything_in_one_update_and_asks_nothing() {
        let mut painter = Painter::new((20, 2), false).unwrap();
        painted(&mut painter, "decode");
        painter.repaint((10, 3)).unwrap();
        let whole = painted(&mut painter, "decode").unwrap();
        assert!(whole.starts_with("\u{1b}[?2026h") && whole.contains("\u{1b}[2J"), "{whole:?}");
        assert!(whole.contains("decode") && !whole.contains("\u{1b}[6n"), "{whole:?}");
    }

    #[test]
    fn what_goes_before_is_sent_even_where_the_screen_is_empty() {
        let mut painter = Painter::new((20, 2), false).unwrap();
        let bytes = painter.paint(b"\x1b[?1049h", Vec::new(), |_| {}).unwrap().unwrap();
        assert!(bytes.starts_with(b"\x1b[?1049h"));
        assert_eq!(painter.paint(b"", Vec::new(), |_| {}).unwrap(), None);
    }

    #[test]
    fn only_ascii_is_painted_where_there_is_nothing_else() {
        let mut painter = Painter::new((20, 2), true).unwrap();
        assert!(painted(&mut painter, "9 µs → 漢").unwrap().is_ascii());
    }
}
