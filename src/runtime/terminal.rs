//! The terminal while the war room has it: taken, drawn on, and given back in order whatever happens.
//!
//! ```text
//!  view ─► buffer ─► canvas ─► one Vec of bytes ─► writer thread ─► one write ─► tty
//! ```
//! A frame is drawn only when the one before it is out ([`Screen::is_ready`]). It is sent inside of a synchronized
//! update, so that no half of it is ever seen, and not at all where nothing looks different. The terminal is asked
//! nothing: an answer could be taken for keys, or never come.

mod canvas;
mod face;
mod tty;
mod writer;

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::{Frame, Terminal};

use canvas::{Canvas, Ink};
use face::keep_to_ascii;
pub(super) use face::colours;
use tty::{ENTER, Tty};
use writer::Writer;

/// The terminal that has to be given back, for those who end the program without knowing who has it.
static TAKEN: Mutex<Option<Arc<Writer>>> = Mutex::new(None);

/// Gives the terminal back if it was taken: after a panic, and when the program has to end at once.
pub(super) fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(writer) = taken {
        writer.give_back();
    }
}

/// Whether the terminal is taken.
pub(super) fn is_taken() -> bool {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Whether there is a terminal to draw on.
pub(super) fn is_there() -> bool {
    io::stdout().is_terminal()
}

/// The whole terminal, until it is dropped.
pub(super) struct Screen {
    terminal: Terminal<Canvas>,
    ink: Ink,
    writer: Arc<Writer>,
    /// Whether it shows nothing but ASCII.
    ascii: bool,
    /// What has to be sent before the next frame.
    preamble: &'static [u8],
    /// The next frame is painted whole, in the size that the terminal has then.
    whole: bool,
}

impl Screen {
    /// Takes the terminal. Nothing is sent yet: that the screen is taken goes out with the first frame.
    pub(super) fn take(ascii: bool) -> io::Result<Self> {
        let writer = Writer::start(Tty::open()?)?;
        let (width, height) = writer.tty().size();
        let ink = Ink::default();
        let terminal = Terminal::new(Canvas::new(ink.clone(), Size::new(width, height)))?;
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&writer));
        let screen = Self { terminal, ink, writer, ascii, preamble: ENTER, whole: false };
        screen.writer.take()?;
        Ok(screen)
    }

    /// Whether the last frame is out, so that another one may be drawn.
    pub(super) fn is_ready(&self) -> bool {
        self.writer.is_drained()
    }

    /// Waits until the last frame is out.
    pub(super) async fn ready(&self) {
        self.writer.drained().await;
    }

    /// Whether nobody looks any more: the line is cut, or the window closed.
    pub(super) fn is_gone(&self) -> bool {
        self.writer.failure().is_some() || self.writer.tty().is_gone()
    }

    /// Draws a frame, which has to be possible now, and sends it where anything looks different.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        debug_assert!(self.is_ready());
        self.ink.replace(self.writer.buffer());
        let preamble = std::mem::take(&mut self.preamble);
        io::Write::write_all(&mut self.ink, preamble)?;
        queue!(self.ink, BeginSynchronizedUpdate)?;
        if std::mem::take(&mut self.whole) {
            let (width, height) = self.writer.tty().size();
            self.terminal.backend_mut().set_size(Size::new(width, height));
            self.terminal.resize(Rect::new(0, 0, width, height))?;
        }
        let ascii = self.ascii;
        self.terminal.draw(|frame| {
            view(frame);
            if ascii {
                keep_to_ascii(frame.buffer_mut());
            }
        })?;
        queue!(self.ink, EndSynchronizedUpdate)?;
        if self.terminal.backend_mut().take_touched() || !preamble.is_empty() {
            self.writer.send(self.ink.replace(Vec::new()));
        }
        Ok(())
    }

    /// The next frame is painted whole, in the size that the terminal has then.
    pub(super) fn repaint(&mut self) {
        self.whole = true;
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (u16, u16) {
        self.writer.tty().size()
    }

    /// A frame as it would be drawn now, and is not.
    pub(super) fn picture(&self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<Buffer> {
        let (width, height) = self.size();
        let mut aside = Terminal::new(Canvas::new(Ink::default(), Size::new(width, height)))?;
        Ok(aside.draw(view)?.buffer.clone())
    }

    /// Gives the terminal back for as long as the program is stopped.
    pub(super) fn leave(&mut self) {
        self.writer.give_back();
    }

    /// Takes it again; the next frame is painted whole.
    pub(super) fn come_back(&mut self) -> io::Result<()> {
        self.writer.take()?;
        self.preamble = ENTER;
        self.terminal.backend_mut().forget_cursor();
        self.repaint();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}
