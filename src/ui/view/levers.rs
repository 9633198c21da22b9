//! The levers.

use super::Ctx;
use crate::ui::pen::Line;

/// The whole view.
pub(super) fn view(_ctx: Ctx<'_>, _width: usize, _height: usize) -> Vec<Line> {
    Vec::new()
}
