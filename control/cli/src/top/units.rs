//! Numbers as people read them at a glance: three digits and a unit, of a width that does not jump.

/// Nothing is known.
pub const UNKNOWN: &str = "–";

/// A count: `0` to `99999`, then `123k`, `1.2M`.
#[must_use]
pub fn count(n: Option<u64>) -> String {
    match n {
        None => UNKNOWN.to_owned(),
        Some(n) if n < 100_000 => n.to_string(),
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        Some(n) => scaled(n as f64),
    }
}

/// A rate of single events.
#[must_use]
pub fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => UNKNOWN.to_owned(),
        Some(rate) if rate < 0.05 => "0".to_owned(),
        Some(rate) if rate < 99.95 => format!("{rate:.1}"),
        Some(rate) if rate < 99_999.5 => format!("{rate:.0}"),
        Some(rate) => scaled(rate),
    }
}

/// A rate of bytes as `12.3 Mbit/s`.
#[must_use]
pub fn bits(bytes_per_second: Option<f64>) -> String {
    let Some(rate) = bytes_per_second else { return UNKNOWN.to_owned() };
    let (value, prefix) = prefixed(rate * 8.0);
    format!("{value} {prefix}bit/s")
}

/// A rate of bytes as bit/s, narrow: `12.3M`.
#[must_use]
pub fn bits_narrow(bytes_per_second: Option<f64>) -> String {
    bytes_per_second.map_or_else(|| UNKNOWN.to_owned(), |rate| scaled(rate * 8.0))
}

/// Bytes as `1.2 GiB`.
#[must_use]
pub fn bytes(n: Option<u64>) -> String {
    let Some(n) = n else { return UNKNOWN.to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = n as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{} {unit}", digits(value, unit == "B"))
}

/// Microseconds as `850 µs`, `1.20 ms`, `3.40 s`.
#[must_use]
pub fn micros(n: Option<u64>) -> String {
    let Some(n) = n else { return UNKNOWN.to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = n as f64;
    if n < 1000 {
        format!("{n} µs")
    } else if value < 999_500.0 {
        format!("{} ms", digits(value / 1e3, false))
    } else {
        format!("{} s", digits(value / 1e6, false))
    }
}

/// Seconds as `3d 04:12:55`.
#[must_use]
pub fn lasting(seconds: Option<u64>) -> String {
    let Some(s) = seconds else { return UNKNOWN.to_owned() };
    let (days, hours, minutes, seconds) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    let clock = format!("{hours:02}:{minutes:02}:{seconds:02}");
    if days > 0 { format!("{days}d {clock}") } else { clock }
}

/// One of seven heights for each value, the highest of all being the highest; the last values, `width` of them. The eighth height, a full
/// cell, is left out: lines below each other would grow together.
pub fn sparkline<'v>(values: impl DoubleEndedIterator<Item = &'v f64>, width: usize) -> String {
    const HEIGHTS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
    let mut last: Vec<f64> = values.rev().take(width).copied().collect();
    last.reverse();
    let most = last.iter().copied().fold(0.0, f64::max);
    let height = |value: &f64| {
        let share = if most > 0.0 { value / most * 6.0 } else { 0.0 };
        let reached = HEIGHTS.iter().zip(0_u8..).filter(|(_, step)| share >= f64::from(*step) - 0.5).last();
        reached.map_or(' ', |(sign, _)| *sign)
    };
    last.iter().map(height).collect()
}

fn scaled(value: f64) -> String {
    let (value, prefix) = prefixed(value);
    format!("{value}{prefix}")
}

fn prefixed(mut value: f64) -> (String, &'static str) {
    let mut prefix = "";
    for next in ["k", "M", "G", "T", "P"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        prefix = next;
    }
    (digits(value, prefix.is_empty()), prefix)
}

/// Three digits, none behind the point if it counts whole things.
fn digits(value: f64, is_whole: bool) -> String {
    if is_whole || value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        assert_eq!(
            [count(None), count(Some(99_999)), count(Some(100_000)), count(Some(u64::MAX))],
            ["–", "99999", "100k", "18447P"]
        );
        assert_eq!([per_second(Some(0.01)), per_second(Some(9.96)), per_second(Some(99.96))], ["0", "10.0", "100"]);
        assert_eq!([bits(Some(0.0)), bits(Some(12.0)), bits(Some(125_000.0))], ["0 bit/s", "96 bit/s", "1.00 Mbit/s"]);
        assert_eq!([bits_narrow(Some(1.25e9)), bits_narrow(Some(99.9e6 / 8.0))], ["10.0G", "99.9M"]);
        assert_eq!([bytes(Some(0)), bytes(Some(1023)), bytes(Some(52_428_800))], ["0 B", "1.00 KiB", "50.0 MiB"]);
        assert_eq!(
            [micros(Some(999)), micros(Some(1204)), micros(Some(999_499)), micros(Some(3_400_000))],
            ["999 µs", "1.20 ms", "999 ms", "3.40 s"]
        );
        assert_eq!([lasting(Some(59)), lasting(Some(273_175))], ["00:00:59", "3d 03:52:55"]);
    }

    #[test]
    fn sparklines_fit() {
        assert_eq!(sparkline([0.0, 1.0, 2.0, 4.0, 8.0].iter(), 9), "▁▂▃▄▇");
        assert_eq!(sparkline([0.0, 0.0].iter(), 9), "▁▁");
        assert_eq!(sparkline([9.0, 7.0, 7.0].iter(), 2), "▇▇");
        assert_eq!(sparkline([].iter(), 2), "");
    }
}
