//! A table of the live view: columns that give way when the terminal is narrow, rows in the order that was asked for.
//!
//! ```text
//!   VSERVER ▾        STATE  SESS   ICA      UP     DOWN
//!   gw               UP     1204  1180   12.3M     240M
//!   … 3 more
//! ```

use std::cmp::Ordering;

use super::pen::{Pen, Tone};

/// Blanks between two columns.
const GAP: u16 = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Above it.
    pub head: &'static str,
    /// So wide, in cells of the terminal. The first column takes what is left over, up to [`FIRST_MAX`].
    pub width: u16,
    /// Whether it is aligned to the right.
    pub right: bool,
    /// Columns of the highest number leave first when it gets narrow; those of 0 stay.
    pub leaves: u8,
}

/// Widest first column.
pub const FIRST_MAX: u16 = 40;

impl Column {
    /// Of text.
    #[must_use]
    pub const fn text(head: &'static str, width: u16, leaves: u8) -> Self {
        Self { head, width, right: false, leaves }
    }

    /// Of numbers.
    #[must_use]
    pub const fn number(head: &'static str, width: u16, leaves: u8) -> Self {
        Self { head, width, right: true, leaves }
    }
}

/// What stands in a column of a row.
#[derive(Clone, Debug)]
pub struct Cell {
    /// As it is shown.
    pub text: String,
    /// How.
    pub tone: Tone,
    /// What it is sorted by; the text if there is no number.
    pub value: Option<f64>,
}

impl Cell {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone, value: None }
    }

    /// A number in words. One that is not known sorts as less than nothing.
    #[must_use]
    pub fn number(text: String, value: Option<f64>) -> Self {
        Self { text, tone: Tone::Plain, value: Some(value.unwrap_or(-1.0)) }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self.value, other.value) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.text.cmp(&other.text),
        }
    }
}

/// How a table is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// By which column it is sorted; none: in the gateway's order.
    pub sort: Option<usize>,
    /// Whether the other way round: numbers begin with the largest, texts with A.
    pub reversed: bool,
    /// So many rows are above the first that is shown.
    pub scrolled: usize,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns.
    pub columns: &'static [Column],
    /// Its rows, with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Puts the rows in order.
    pub fn sort(&mut self, look: Look) {
        if let Some(at) = look.sort {
            // Stable: what is equal stays in the gateway's order.
            self.rows.sort_by(|a, b| {
                let order = match (a.get(at), b.get(at)) {
                    (Some(a), Some(b)) => a.order(b),
                    _ => Ordering::Equal,
                };
                if look.reversed { order.reverse() } else { order }
            });
        } else if look.reversed {
            self.rows.reverse();
        }
    }

    /// Draws heading and rows into `height` lines from `y` on.
    pub fn draw(&self, pen: &mut Pen<'_>, y: u16, height: u16, look: Look, focused: bool) {
        if height == 0 {
            return;
        }
        let widths = self.widths(pen.width().saturating_sub(2));
        let places = || {
            let mut x = 1;
            widths.iter().map(move |(at, width)| {
                let here = x;
                x += width + GAP;
                (*at, here, *width)
            })
        };
        for (at, x, width) in places() {
            let Some(column) = self.columns.get(at) else { continue };
            let sign = if look.reversed { "▴" } else { "▾" };
            let head = if look.sort == Some(at) { format!("{}{sign}", column.head) } else { column.head.to_owned() };
            let tone = if focused { Tone::Strong } else { Tone::Faint };
            pen.put(x, y, width, &head, tone, column.right);
        }
        let room = usize::from(height - 1);
        let from = look.scrolled.min(self.rows.len().saturating_sub(room));
        let shown = self.rows.iter().skip(from).take(room).enumerate();
        let hidden = self.rows.len().saturating_sub(from + room);
        for (n, row) in shown {
            let y = y + 1 + u16::try_from(n).unwrap_or(u16::MAX);
            if hidden > 0 && n + 1 == room {
                pen.put(1, y, pen.width().saturating_sub(2), &format!("… {} more", hidden + 1), Tone::Faint, false);
                break;
            }
            for (at, x, width) in places() {
                let (Some(cell), Some(column)) = (row.get(at), self.columns.get(at)) else { continue };
                pen.put(x, y, width, &cell.text, cell.tone, column.right);
            }
        }
        if self.rows.is_empty() && room > 0 {
            pen.put(1, y + 1, pen.width().saturating_sub(2), "none", Tone::Faint, false);
        }
    }

    /// Which columns fit, and how wide each is.
    fn widths(&self, room: u16) -> Vec<(usize, u16)> {
        let mut kept: Vec<(usize, u16)> = self.columns.iter().enumerate().map(|(at, column)| (at, column.width)).collect();
        let total = |kept: &[(usize, u16)]| kept.iter().map(|(_, width)| width + GAP).sum::<u16>().saturating_sub(GAP);
        while total(&kept) > room {
            let leaves = |(at, _): &(usize, u16)| self.columns.get(*at).map_or(0, |column| column.leaves);
            let Some(most) = kept.iter().map(leaves).max().filter(|most| *most > 0) else { break };
            let Some(last) = kept.iter().rposition(|column| leaves(column) == most) else { break };
            kept.remove(last);
        }
        let spare = room.saturating_sub(total(&kept));
        if let Some((_, first)) = kept.first_mut() {
            *first = (*first + spare).min(FIRST_MAX.max(*first));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::text("NAME", 6, 0), Column::number("N", 4, 0), Column::number("MORE", 6, 1)];

    fn table() -> Table {
        let row = |name: &str, n: Option<f64>| {
            let shown = n.map_or_else(|| "–".to_owned(), |n| n.to_string());
            vec![Cell::text(name, Tone::Plain), Cell::number(shown, n), Cell::number("0".into(), Some(0.0))]
        };
        Table { columns: COLUMNS, rows: vec![row("b", Some(1.0)), row("a", None), row("c", Some(9.0))] }
    }

    fn names(look: Look) -> String {
        let mut table = table();
        table.sort(look);
        table.rows.iter().map(|row| row[0].text.as_str()).collect()
    }

    #[test]
    fn sorts() {
        assert_eq!(names(Look::default()), "bac");
        assert_eq!(names(Look { sort: Some(0), ..Look::default() }), "abc");
        assert_eq!(names(Look { sort: Some(1), ..Look::default() }), "cba");
        assert_eq!(names(Look { sort: Some(1), reversed: true, ..Look::default() }), "abc");
    }

    #[test]
    fn columns_give_way() {
        let table = table();
        assert_eq!(table.widths(22), [(0, 8), (1, 4), (2, 6)]);
        assert_eq!(table.widths(19), [(0, 13), (1, 4)]);
        assert_eq!(table.widths(3), [(0, 6), (1, 4)]);
        assert_eq!(table.widths(200)[0], (0, FIRST_MAX));
    }
}
