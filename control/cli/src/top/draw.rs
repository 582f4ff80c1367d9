//! The picture: a moment of the gateway, drawn into as many lines and columns as there are.
//!
//! ```text
//!   header      name, version, uptime, state, configuration                     how often
//!   overview    sessions, up, down, handshakes, tickets, refused │ latencies, memory
//!   reasons     why sessions were refused or cut off
//!   tables      virtual servers, workers, authorities; the one in focus gets the lines that are left
//!   footer      keys
//! ```

use super::pen::{Pen, Tone};
use super::rates::{Pair, Past, Rates};
use super::sample::{Sample, Sta, Vserver, Worker};
use super::table::{Cell, Column, Look, Table};
use super::units::{UNKNOWN, bits, bits_narrow, bytes, count, lasting, micros, per_second, sparkline};

/// Narrowest terminal that is drawn on, in cells.
pub const WIDTH_MIN: u16 = 40;
/// Lowest, in lines.
pub const HEIGHT_MIN: u16 = 8;
/// From this width on, latencies stand beside the overview.
const SIDE_BY_SIDE: u16 = 78;
/// From this width on, there is room for the slowest, too.
const WIDE: u16 = 100;
/// How busy a worker is before it is worth a look, in percent, and before it is bad.
const BUSY_ODD: u64 = 75;
const BUSY_BAD: u64 = 92;
/// Cells of the bar that shows it.
const BAR: u16 = 10;

/// A table of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// Virtual servers.
    #[default]
    Vservers,
    /// Worker threads.
    Workers,
    /// Ticket authorities.
    Stas,
}

impl Focus {
    /// All of them, from the top.
    pub const ALL: [Self; 3] = [Self::Vservers, Self::Workers, Self::Stas];

    /// Its columns.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Vservers => VSERVER,
            Self::Workers => WORKER,
            Self::Stas => STA,
        }
    }

    /// Its place from the top.
    #[must_use]
    pub const fn at(self) -> usize {
        match self {
            Self::Vservers => 0,
            Self::Workers => 1,
            Self::Stas => 2,
        }
    }
}

/// What the operator has chosen to see.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The table that keys act on.
    pub focus: Focus,
    /// How each table is looked at.
    pub looks: [Look; 3],
    /// Whether the picture stands still.
    pub paused: bool,
    /// Whether the keys are explained.
    pub help: bool,
}

/// All that a picture shows.
#[derive(Debug)]
pub struct Scene<'s> {
    /// The moment.
    pub now: &'s Sample,
    /// With the one before.
    pub pair: Pair<'s>,
    /// What came of that.
    pub rates: Rates,
    /// And what was before.
    pub past: &'s Past,
    /// What is to be seen.
    pub view: &'s View,
    /// Seconds between two moments.
    pub interval_s: u64,
    /// Why there is nothing newer.
    pub trouble: Option<&'s str>,
    /// Whether keys can be pressed.
    pub live: bool,
}

/// So many lines show everything.
#[must_use]
pub fn height_of_all(scene: &Scene<'_>, width: u16) -> u16 {
    let rows = [scene.now.vservers.len(), scene.now.workers.len(), scene.now.stas.len()];
    let tables: usize = rows.iter().map(|rows| rows.max(&1) + 2).sum();
    u16::try_from(tables).unwrap_or(u16::MAX).saturating_add(2 + overview_height(width)).saturating_sub(1)
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, pen: &mut Pen<'_>) {
    if pen.width() < WIDTH_MIN || pen.height() < HEIGHT_MIN {
        let words = format!("needs {WIDTH_MIN}×{HEIGHT_MIN}");
        pen.put(0, 0, pen.width(), &words, Tone::Plain, false);
        return;
    }
    let roomy = pen.height() >= 20;
    header(scene, pen);
    let mut y = 1 + u16::from(roomy);
    if let Some(trouble) = scene.trouble {
        pen.put(1, y - u16::from(roomy), pen.width() - 2, trouble, Tone::Bad, false);
        y = y.max(2);
    }
    y = overview(scene, pen, y);
    y += u16::from(roomy);
    let bottom = pen.height() - u16::from(scene.live);
    if scene.view.help {
        help(pen, y, bottom);
    } else {
        tables(scene, pen, y, bottom);
    }
    if scene.live {
        footer(pen, bottom);
    }
}

fn header(scene: &Scene<'_>, pen: &mut Pen<'_>) {
    let now = scene.now;
    let name = if now.host_name.is_empty() { "sluicegate" } else { &now.host_name };
    let version = match now.version.trim_start_matches("Sluicegate ") {
        "" => String::new(),
        version => format!("  {version}"),
    };
    let uptime = format!("  up {}", lasting(now.uptime_s));
    let (state, state_tone) = match (&now.drain, now.state.as_str()) {
        (Some(drain), _) => (format!("DRAINING {} left, {}", count(drain.sessions), lasting(drain.remaining_s)), Tone::Odd),
        (None, "RUNNING") => ("RUNNING".to_owned(), Tone::Good),
        (None, "") => (UNKNOWN.to_owned(), Tone::Faint),
        (None, other) => (other.to_owned(), Tone::Odd),
    };
    let number = now.snapshot.map(|n| format!(" #{n}")).unwrap_or_default();
    let (saved, saved_tone) = match now.is_changed {
        Some(true) => (format!("config{number} not saved"), Tone::Odd),
        Some(false) => (format!("config{number} saved"), Tone::Faint),
        None => (String::new(), Tone::Faint),
    };
    let x = pen.pieces(
        1,
        0,
        &[
            (name, Tone::Strong),
            (&version, Tone::Faint),
            (&uptime, Tone::Plain),
            ("  ", Tone::Plain),
            (&state, state_tone),
            ("  ", Tone::Plain),
            (&saved, saved_tone),
        ],
    );
    let pace = match (scene.live, scene.view.paused) {
        (false, _) => String::new(),
        (true, true) => "paused".to_owned(),
        (true, false) => format!("every {} s", scene.interval_s),
    };
    let room = pen.width().saturating_sub(x + 2);
    if usize::from(room) > pace.chars().count() {
        pen.put(x + 1, 0, room, &pace, if scene.view.paused { Tone::Odd } else { Tone::Faint }, true);
    }
}

/// Lines of the overview and of the reasons below.
const fn overview_height(width: u16) -> u16 {
    if width >= SIDE_BY_SIDE { 7 } else { 7 + 5 }
}

fn overview(scene: &Scene<'_>, pen: &mut Pen<'_>, y: u16) -> u16 {
    let (now, rates, past) = (scene.now, &scene.rates, scene.past);
    let side_by_side = pen.width() >= SIDE_BY_SIDE;
    let half = if side_by_side { (pen.width() / 2 + 1).min(70) } else { pen.width() - 2 };
    let of = now.sessions_max.map(|most| format!(" / {}", count(Some(most)))).unwrap_or_default();
    let lines = [
        ("Sessions", format!("{}{of}", count(now.sessions)), &past.sessions),
        ("Up", bits(rates.up), &past.up),
        ("Down", bits(rates.down), &past.down),
        ("Handshakes", unit(per_second(rates.handshakes)), &past.handshakes),
        ("Tickets", unit(per_second(rates.tickets)), &past.tickets),
        ("Refused", unit(per_second(rates.refused)), &past.refused),
    ];
    for ((label, value, past), y) in lines.iter().zip(y..) {
        let tone = if *label == "Refused" && rates.refused.is_some_and(|rate| rate >= 0.05) { Tone::Odd } else { Tone::Strong };
        pen.put(1, y, 10, label, Tone::Plain, false);
        pen.put(12, y, 13, value, tone, true);
        let room = half.saturating_sub(27);
        pen.put(27, y, room, &sparkline(past.iter(), usize::from(room)), Tone::Drawn, false);
    }
    reasons(scene, pen, y + 6);
    if side_by_side {
        latencies(now, pen, half + 2, y);
        y + 7
    } else if pen.height() >= 22 {
        latencies(now, pen, 1, y + 7);
        y + 12
    } else {
        y + 7
    }
}

fn unit(rate: String) -> String {
    if rate == UNKNOWN { rate } else { format!("{rate} /s") }
}

fn reasons(scene: &Scene<'_>, pen: &mut Pen<'_>, y: u16) {
    let mut x = 1_u16;
    let all = scene.pair.reasons();
    for (at, (name, rate, ever)) in all.iter().enumerate() {
        let words = match rate {
            Some(rate) if *rate >= 0.05 => format!("{name} {}/s ({})", per_second(Some(*rate)), count(Some(*ever))),
            Some(_) | None => format!("{name} ({})", count(Some(*ever))),
        };
        let needed = u16::try_from(words.chars().count()).unwrap_or(u16::MAX);
        let more = format!("… {} more", all.len() - at);
        // What does not fit with a remark behind it gives way to the remark.
        let remark = if at + 1 < all.len() { 3 + 12 } else { 0 };
        if x.saturating_add(needed).saturating_add(remark) > pen.width().saturating_sub(1) {
            pen.put(x, y, pen.width().saturating_sub(x + 1), &more, Tone::Faint, false);
            return;
        }
        let tone = if rate.is_some_and(|rate| rate >= 0.05) { Tone::Odd } else { Tone::Faint };
        x += pen.put(x, y, needed, &words, tone, false) + 3;
    }
}

fn latencies(now: &Sample, pen: &mut Pen<'_>, x: u16, y: u16) {
    let width = 8;
    let columns: &[&str] = if pen.width() >= WIDE { &["p50", "p90", "p99", "max"] } else { &["p50", "p90", "p99"] };
    let place = |at: usize| x + 10 + (width + 1) * u16::try_from(at).unwrap_or(0);
    pen.put(x, y, 10, "LATENCY", Tone::Faint, false);
    for (at, head) in columns.iter().enumerate() {
        pen.put(place(at), y, width, head, Tone::Faint, true);
    }
    for (times, y) in now.times.iter().take(4).zip(y + 1..) {
        pen.put(x, y, 10, &times.step, Tone::Plain, false);
        let values = [times.p50, times.p90, times.p99, times.max];
        for (at, value) in values.iter().take(columns.len()).enumerate() {
            pen.put(place(at), y, width, &micros(*value), Tone::Plain, true);
        }
    }
    if pen.width() >= SIDE_BY_SIDE {
        let words = format!("Memory {}   Descriptors {}", bytes(now.memory_bytes), count(now.descriptors));
        pen.put(x, y + 5, pen.width().saturating_sub(x + 1), &words, Tone::Faint, false);
    }
}

const VSERVER: &[Column] = &[
    Column::text("VSERVER", 12, 0),
    Column::text("STATE", 5, 0),
    Column::number("SESS", 6, 0),
    Column::number("ICA", 6, 1),
    Column::number("UP", 6, 2),
    Column::number("DOWN", 6, 2),
    Column::number("HS/S", 6, 3),
    Column::number("SETUP P99", 9, 4),
];

const WORKER: &[Column] = &[
    Column::text("WORKER", 6, 0),
    Column::text("BUSY", 15, 0),
    Column::number("SESS", 6, 0),
    Column::number("SPLICED", 7, 2),
    Column::number("UP", 6, 1),
    Column::number("DOWN", 6, 1),
    Column::number("ASKS", 5, 3),
    Column::number("BUFFERS", 11, 4),
];

const STA: &[Column] = &[
    Column::text("STA", 20, 0),
    Column::text("STATE", 7, 0),
    Column::number("ASKED/S", 7, 1),
    Column::number("REFUSED", 7, 2),
    Column::number("FAILED", 6, 1),
    Column::number("LAST", 8, 3),
];

/// A table, filled and in order.
#[must_use]
pub fn table(scene: &Scene<'_>, focus: Focus) -> Table {
    let now = scene.now;
    let rows = match focus {
        Focus::Vservers => now.vservers.iter().map(|vserver| vserver_row(scene, vserver)).collect(),
        Focus::Workers => now.workers.iter().map(|worker| worker_row(scene, worker)).collect(),
        Focus::Stas => now.stas.iter().map(|sta| sta_row(scene, sta)).collect(),
    };
    let mut table = Table { columns: focus.columns(), rows };
    table.sort(scene.view.looks[focus.at()]);
    table
}

fn number(n: Option<u64>) -> Cell {
    #[expect(clippy::cast_precision_loss, reason = "to sort by")]
    Cell::number(count(n), n.map(|n| n as f64))
}

fn rate(text: String, rate: Option<f64>) -> Cell {
    Cell::number(text, rate)
}

fn state(state: &str) -> Cell {
    let tone = match state {
        "UP" => Tone::Good,
        "DOWN" => Tone::Bad,
        _ => Tone::Odd,
    };
    Cell::text(if state.is_empty() { UNKNOWN } else { state }, tone)
}

fn vserver_row(scene: &Scene<'_>, row: &Vserver) -> Vec<Cell> {
    let of = |of: fn(&Vserver) -> Option<u64>| {
        scene.pair.rate(|sample| sample.vservers.iter().find(|v| v.name == row.name).and_then(of))
    };
    let (up, down, handshakes) = (of(|v| v.up_bytes), of(|v| v.down_bytes), of(|v| v.handshakes));
    #[expect(clippy::cast_precision_loss, reason = "to sort by")]
    let setup = Cell::number(micros(row.setup_p99), row.setup_p99.map(|n| n as f64));
    vec![
        Cell::text(&row.name, Tone::Plain),
        state(&row.state),
        number(row.sessions),
        number(row.ica),
        rate(bits_narrow(up), up),
        rate(bits_narrow(down), down),
        rate(per_second(handshakes), handshakes),
        setup,
    ]
}

fn worker_row(scene: &Scene<'_>, row: &Worker) -> Vec<Cell> {
    let of = |of: fn(&Worker) -> Option<u64>| {
        scene.pair.rate(|sample| sample.workers.iter().find(|w| w.number == row.number).and_then(of))
    };
    let (up, down) = (of(|w| w.up_bytes), of(|w| w.down_bytes));
    let tone = match row.busy {
        Some(BUSY_BAD..) => Tone::Bad,
        Some(BUSY_ODD..) => Tone::Odd,
        Some(_) | None => Tone::Drawn,
    };
    #[expect(clippy::cast_precision_loss, reason = "to sort by")]
    let mut busy = Cell::number(bar(row.busy), row.busy.map(|n| n as f64));
    busy.tone = tone;
    let of_most = |n, most: Option<u64>| most.map_or_else(|| count(n), |_| format!("{}/{}", count(n), count(most)));
    let mut buffers = number(row.buffers);
    buffers.text = of_most(row.buffers, row.buffers_max);
    let mut queue = number(row.queue);
    // More than half full: control does not keep up.
    if row.queue.zip(row.queue_max).is_some_and(|(queue, most)| queue > most / 2) {
        queue.tone = Tone::Bad;
    }
    let mut name = number(Some(row.number));
    name.text = row.number.to_string();
    vec![
        name,
        busy,
        number(row.sessions),
        number(row.spliced),
        rate(bits_narrow(up), up),
        rate(bits_narrow(down), down),
        queue,
        buffers,
    ]
}

/// `████▌····· 43%`
fn bar(percent: Option<u64>) -> String {
    let Some(percent) = percent else { return UNKNOWN.to_owned() };
    let halves = usize::try_from(percent.min(100)).unwrap_or(100) * usize::from(BAR) * 2 / 100;
    let mut bar = "█".repeat(halves / 2);
    if halves % 2 == 1 {
        bar.push('▌');
    }
    let rest = usize::from(BAR) - bar.chars().count();
    format!("{bar}{} {percent:>3}%", "·".repeat(rest))
}

fn sta_row(scene: &Scene<'_>, row: &Sta) -> Vec<Cell> {
    let asked = scene.pair.rate(|sample| sample.stas.iter().find(|sta| sta.server == row.server)?.asked);
    let failed = {
        let mut cell = number(row.failed);
        cell.tone = if row.failed.is_some_and(|failed| failed > 0) { Tone::Odd } else { Tone::Plain };
        cell
    };
    #[expect(clippy::cast_precision_loss, reason = "to sort by")]
    let last = Cell::number(micros(row.last_ms.map(|ms| ms.saturating_mul(1000))), row.last_ms.map(|n| n as f64));
    vec![
        Cell::text(&row.server, Tone::Plain),
        state(&row.state),
        rate(per_second(asked), asked),
        number(row.refused),
        failed,
        last,
    ]
}

fn tables(scene: &Scene<'_>, pen: &mut Pen<'_>, y: u16, bottom: u16) {
    let all = Focus::ALL.map(|focus| table(scene, focus));
    let rows = all.each_ref().map(|table| u16::try_from(table.rows.len().max(1)).unwrap_or(u16::MAX));
    // A blank line before the keys, unless it costs a row.
    let room = bottom.saturating_sub(y);
    let everything = rows.iter().fold(3 + 2, |sum: u16, rows| sum.saturating_add(*rows));
    let heights = share(rows, if scene.live && everything < room { room - 1 } else { room }, scene.view.focus.at());
    let mut y = y;
    for ((focus, table), height) in Focus::ALL.into_iter().zip(&all).zip(heights) {
        if height > 0 {
            table.draw(pen, y, height, scene.view.looks[focus.at()], scene.live && focus == scene.view.focus);
            y += height + 1;
        }
    }
}

/// How many lines each table gets, its heading included, of `room` with a blank line between two.
fn share(rows: [u16; 3], room: u16, focus: usize) -> [u16; 3] {
    // Each has its heading and a line or two; if not even that fits, only the one in focus is shown.
    let least = rows.map(|rows| 1 + rows.min(2));
    if least.iter().sum::<u16>() + 2 > room {
        let mut one = [0; 3];
        if let (Some(one), Some(rows)) = (one.get_mut(focus), rows.get(focus)) {
            *one = rows.saturating_add(1).min(room);
        }
        return one;
    }
    let mut heights = least;
    let mut spare = room - 2 - least.iter().sum::<u16>();
    let order = [focus, (focus + 1) % 3, (focus + 2) % 3];
    for at in order {
        if let (Some(height), Some(rows)) = (heights.get_mut(at), rows.get(at)) {
            let more = rows.saturating_add(1).saturating_sub(*height).min(spare);
            *height += more;
            spare -= more;
        }
    }
    heights
}

const KEYS: &[(&str, &str)] =
    &[("q", "quit"), ("h", "help"), ("tab", "next table"), ("s", "sort"), ("r", "reverse"), ("p", "pause"), ("+ -", "interval")];

fn footer(pen: &mut Pen<'_>, y: u16) {
    let mut x = 1;
    for (key, what) in KEYS {
        let needed = u16::try_from(key.len() + what.len() + 1).unwrap_or(u16::MAX);
        if x + needed >= pen.width() {
            return;
        }
        x = pen.pieces(x, y, &[(*key, Tone::Strong), (" ", Tone::Plain), (*what, Tone::Faint)]) + 3;
    }
}

const HELP: &[(&str, &str)] = &[
    ("q, esc", "quit"),
    ("h, ?", "show or hide this"),
    ("tab", "go to the next table; it gets the lines that are left over"),
    ("s", "sort the table by its next column; after the last, not at all"),
    ("r", "the other way round"),
    ("up, down", "scroll the table"),
    ("p, space", "stand still; again: go on"),
    ("+, -", "look less often, or more often"),
    ("", ""),
    ("UP, DOWN", "from clients to hosts and back, in bit/s"),
    ("HS/S", "TLS handshakes per second"),
    ("ASKS", "questions that wait for the control thread"),
    ("BUFFERS", "lent to sessions, of how many"),
];

fn help(pen: &mut Pen<'_>, y: u16, bottom: u16) {
    for ((key, what), y) in HELP.iter().zip(y..bottom) {
        pen.put(1, y, 10, key, Tone::Strong, false);
        pen.put(12, y, pen.width().saturating_sub(13), what, Tone::Plain, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shared() {
        assert_eq!(share([1, 2, 1], 13, 0), [2, 3, 2]);
        assert_eq!(share([50, 2, 1], 13, 0), [6, 3, 2]);
        assert_eq!(share([50, 8, 1], 13, 1), [3, 6, 2]);
        assert_eq!(share([50, 8, 4], 6, 2), [0, 0, 5]);
        assert_eq!(share([50, 8, 4], 0, 2), [0, 0, 0]);
        for room in 0..40 {
            for focus in 0..3 {
                let heights = share([7, 30, 2], room, focus);
                let shown = u16::try_from(heights.iter().filter(|h| **h > 0).count()).unwrap();
                assert!(heights.iter().sum::<u16>() + shown.saturating_sub(1) <= room);
            }
        }
    }

    #[test]
    fn bars() {
        assert_eq!(bar(Some(0)), "··········   0%");
        assert_eq!(bar(Some(45)), "████▌·····  45%");
        assert_eq!(bar(Some(100)), "██████████ 100%");
        assert_eq!(bar(None), "–");
    }
}
