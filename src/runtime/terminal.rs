//! The terminal while the war room has it: taken, drawn on, and given back in order whatever happens.
//!
//! ```text
//!  view ─► painter (cells, then bytes in one Vec) ─► writer thread ─► one write ─► tty
//! ```
//! A frame is drawn only when the one before it is out ([`Screen::is_ready`]). It is sent inside of a synchronized
//! update, so that no half of it is ever seen, and not at all where nothing looks different. The terminal is asked
//! nothing: an answer could be taken for keys, or never come.

mod canvas;
mod face;
mod painter;
mod tty;
mod writer;

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use ratatui::Frame;
use ratatui::buffer::Buffer;

pub(super) use face::colours;
pub use painter::Painter;
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
    painter: Painter,
    writer: Arc<Writer>,
    /// What has to be sent before the next frame.
    preamble: &'static [u8],
    /// The next frame is painted whole, in the size that the terminal has then.
    whole: bool,
}

impl Screen {
    /// Takes the terminal, which shows nothing but ASCII where `ascii` says so. Nothing is sent yet: that the screen is
    /// taken goes out with the first frame.
    pub(super) fn take(ascii: bool) -> io::Result<Self> {
        let writer = Writer::start(Tty::open()?)?;
        let painter = Painter::new(writer.tty().size(), ascii)?;
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&writer));
        let screen = Self { painter, writer, preamble: ENTER, whole: false };
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
        if std::mem::take(&mut self.whole) {
            self.painter.repaint(self.size())?;
        }
        let preamble = std::mem::take(&mut self.preamble);
        if let Some(frame) = self.painter.paint(preamble, self.writer.buffer(), view)? {
            self.writer.send(frame);
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
        painter::picture(self.size(), view)
    }

    /// Gives the terminal back for as long as the program is stopped.
    pub(super) fn leave(&mut self) {
        self.writer.give_back();
    }

    /// Takes it again; the next frame is painted whole.
    pub(super) fn come_back(&mut self) -> io::Result<()> {
        self.writer.take()?;
        self.preamble = ENTER;
        self.painter.forget_cursor();
        self.repaint();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}
