//! Writes into the buffer of a terminal, within its bounds and in few tones.

use gate_config::text::visible::visible;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

/// How a piece is meant. Colours are of the eight that every terminal has and adapts to its background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As the terminal writes.
    #[default]
    Plain,
    /// The point.
    Strong,
    /// Beside the point.
    Faint,
    /// As it should be.
    Good,
    /// To be looked at.
    Odd,
    /// Wrong.
    Bad,
    /// A drawing.
    Drawn,
}

impl Tone {
    /// As the terminal is told. Without colours, the weight still tells.
    #[must_use]
    pub const fn style(self, colors: bool) -> Style {
        let plain = Style::new();
        match (self, colors) {
            (Self::Plain, _) | (Self::Good | Self::Drawn, false) => plain,
            (Self::Strong, _) | (Self::Odd | Self::Bad, false) => plain.add_modifier(Modifier::BOLD),
            (Self::Faint, _) => plain.add_modifier(Modifier::DIM),
            (Self::Good, true) => plain.fg(Color::Green),
            (Self::Odd, true) => plain.fg(Color::Yellow),
            (Self::Bad, true) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Self::Drawn, true) => plain.fg(Color::Cyan),
        }
    }
}

/// A buffer and how to write into it.
#[derive(Debug)]
pub struct Pen<'b> {
    buffer: &'b mut Buffer,
    colors: bool,
}

impl<'b> Pen<'b> {
    /// Writes into `buffer`.
    pub fn new(buffer: &'b mut Buffer, colors: bool) -> Self {
        Self { buffer, colors }
    }

    /// Cells of a line.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.buffer.area.width
    }

    /// Lines.
    #[must_use]
    pub fn height(&self) -> u16 {
        self.buffer.area.height
    }

    /// Writes into `width` cells from `x` on; what is too long ends with `…`. What lies outside is not drawn. Returns how many cells were used.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, tone: Tone, right: bool) -> u16 {
        let width = width.min(self.width().saturating_sub(x));
        if y >= self.height() || width == 0 {
            return 0;
        }
        let text = visible(text);
        let needed = u16::try_from(Line::raw(&*text).width()).unwrap_or(u16::MAX);
        let at = if right { x + width.saturating_sub(needed) } else { x };
        let style = tone.style(self.colors);
        let (area_x, area_y) = (self.buffer.area.x, self.buffer.area.y);
        if needed <= width {
            self.buffer.set_stringn(area_x + at, area_y + y, &*text, usize::from(width), style);
            return needed;
        }
        let (end, _) = self.buffer.set_stringn(area_x + x, area_y + y, &*text, usize::from(width - 1), style);
        self.buffer.set_stringn(end, area_y + y, "…", 1, style);
        width
    }

    /// Writes pieces one after the other. Returns the place behind.
    pub fn pieces(&mut self, mut x: u16, y: u16, pieces: &[(&str, Tone)]) -> u16 {
        for (text, tone) in pieces {
            x = x.saturating_add(self.put(x, y, u16::MAX, text, *tone, false));
        }
        x
    }
}
