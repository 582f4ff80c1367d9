//! The live view, drawn into a buffer. `UPDATE=1` writes the pictures anew.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

use std::time::Duration;

use gate_cli::top::sample::{Answers, Sample};
use gate_cli::top::{Model, snapshot, text_of};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use serde_json::{Value, json};

/// A gateway `second` seconds into a busy morning.
fn sample(second: u64) -> Sample {
    let n = 1 + second % 7;
    let mut answers = Answers::default();
    let mut hear = |title, rows: Value| answers.hear(title, &json!({"errorcode": 0, title: rows}).to_string());
    hear(
        "nsInfo",
        json!([{
            "version": "0.1.0", "hostName": "gw1", "state": "RUNNING", "uptimeSeconds": 273_175 + second,
            "configChanged": true, "snapshot": 12,
        }]),
    );
    hear(
        "ns",
        json!([{
            "uptimeMillis": 5000 + second * 1000, "sessions": 1200 + 10 * n, "sessionsMax": 8192, "memoryBytes": 187_904_819,
            "descriptors": 2530,
            "reasons": [
                {"reason": "client_closed", "blame": "nobody", "sessions": 90_210},
                {"reason": "ticket_refused", "blame": "client", "sessions": 40 + second},
                {"reason": "host_refused", "blame": "host", "sessions": 17},
                {"reason": "handshake_timeout", "blame": "client", "sessions": 5},
            ],
        }]),
    );
    hear(
        "vpn",
        json!([{
            "curIcaConnections": 1180, "staReqSent": 90_000 + 12 * second,
            "times": [
                {"step": "handshake", "count": 9, "p50Micros": 812, "p90Micros": 1204, "p99Micros": 4310, "maxMicros": 98_000},
                {"step": "preface", "count": 9, "p50Micros": 100, "p90Micros": 100, "p99Micros": 100, "maxMicros": 100},
            {"step": "redeem", "count": 9, "p50Micros": 2210, "p90Micros": 3900, "p99Micros": 12_100, "maxMicros": 480_000},
                {"step": "connect", "count": 9, "p50Micros": 420, "p90Micros": 700, "p99Micros": 1900, "maxMicros": 1_204_000},
                {"step": "whole", "count": 9, "p50Micros": 4100, "p90Micros": 6300, "p99Micros": 19_400, "maxMicros": 1_730_000},
            ],
        }]),
    );
    hear("ssl", json!([{"handshakes": 91_000 + 14 * second, "handshakesFailed": 70}]));
    hear(
        "vpnVserver",
        json!([
            {"name": "gw.example.com", "state": "UP", "curSessions": 1100, "curIcaConnections": 1090, "handshakes": 80_000 + 13 * second,
             "upBytes": 1_000_000 * second, "downBytes": 20_000_000 * second,
             "times": [{"step": "whole", "count": 9, "p99Micros": 18_200}]},
            {"name": "partners", "state": "UP", "curSessions": 104, "curIcaConnections": 90, "handshakes": 11_000 + second,
             "upBytes": 90_000 * second, "downBytes": 2_100_000 * second,
             "times": [{"step": "whole", "count": 9, "p99Micros": 44_000}]},
            {"name": "lab", "state": "DOWN", "curSessions": 0, "curIcaConnections": 0, "handshakes": 0, "upBytes": 0, "downBytes": 0,
             "times": []},
        ]),
    );
    let worker = |worker: u64, busy: u64, queue: u64| {
        json!({
            "worker": worker, "engine": "URING", "busyPercent": busy, "sessions": 300 + worker, "spliced": 290, "askQueue": queue,
            "askQueueMax": 1024, "buffersLent": 700 + worker, "buffersMax": 4096,
            "upBytes": 272_500 * second, "downBytes": 5_525_000 * second + (0..second).map(|n| 900_000 * (n % 11)).sum::<u64>(),
        })
    };
    hear("worker", json!([worker(0, 43, 0), worker(1, 78, 2), worker(2, 96, 900), worker(3, 5, 0)]));
    hear(
        "sta",
        json!([
            {"staServer": "http://xml1.example.com:8080/scripts/ctxsta.dll", "staState": "UP", "asked": 90_000 + 12 * second, "refused": 47,
             "failed": 0, "lastMillis": 2},
            {"staServer": "http://xml2.example.com:8080/scripts/ctxsta.dll", "staState": "DOWN", "asked": 10, "refused": 0, "failed": 10,
             "lastMillis": 3000},
        ]),
    );
    hear("nsDrain", json!([{"state": "RUNNING"}]));
    answers.sample()
}

fn model(seconds: u64) -> Model {
    let mut model = Model::every(2);
    for second in 0..=seconds {
        model.take(Box::new(sample(second)), Duration::from_secs(1));
    }
    model
}

fn drawn(model: &Model, width: u16, height: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    model.draw(&mut buffer, true);
    text_of(&buffer)
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\t' => KeyCode::Tab,
            'v' => KeyCode::Down,
            other => KeyCode::Char(other),
        };
        model.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

fn golden(name: &str, drawn: &str) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, drawn).unwrap();
    }
    assert_eq!(drawn, std::fs::read_to_string(&path).unwrap_or_default(), "{path}");
}

#[test]
fn the_picture_of_a_small_terminal() {
    let picture = drawn(&model(40), 80, 24);
    golden("top.80x24", &picture);
    // It is the one that operators are shown.
    assert!(include_str!("../../../docs/operate/sluicectl.md").contains(&picture));
}

#[test]
fn the_picture_of_a_large_terminal() {
    golden("top.120x40", &drawn(&model(90), 120, 40));
}

#[test]
fn the_picture_of_a_narrow_terminal() {
    golden("top.50x20", &drawn(&model(9), 50, 20));
}

#[test]
fn help_and_sorting() {
    let mut model = model(3);
    press(&mut model, "h");
    golden("top.keys", &drawn(&model, 80, 24));
    press(&mut model, "h\tss\t\tsssr");
    golden("top.sorted", &drawn(&model, 80, 24));
}

#[test]
fn no_line_is_wider_than_the_terminal_whatever_its_size() {
    let mut model = model(20);
    for (width, height) in [(40, 8), (41, 9), (60, 24), (79, 24), (80, 12), (100, 30), (200, 60), (300, 100), (1, 1), (20, 50)] {
        for keys in ["", "\t", "\t", "h", "h"] {
            press(&mut model, keys);
            // A character outside of the buffer is a panic.
            let picture = drawn(&model, width, height);
            assert_eq!(picture.lines().count(), usize::from(height));
            assert!(picture.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}×{height}:\n{picture}");
        }
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    model(5).draw(&mut buffer, false);
    assert!(buffer.content().iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
    model(5).draw(&mut buffer, true);
    assert!(buffer.content().iter().any(|cell| cell.fg != ratatui::style::Color::Reset));
}

#[test]
fn names_of_strangers_do_not_act_and_wide_ones_fit() {
    let mut model = Model::every(1);
    let mut answers = Answers::default();
    answers.hear(
        "vpnVserver",
        &json!({"vpnVserver": [
            {"name": "a\u{1b}[2Jb\u{202e}", "state": "UP"},
            {"name": "日本語の名前がとても長い仮想サーバー日本語の名前がとても長い", "state": "UP"},
        ]})
        .to_string(),
    );
    model.take(Box::new(answers.sample()), Duration::from_secs(1));
    let picture = drawn(&model, 80, 24);
    assert!(picture.contains("a\\u{1b}[2Jb\\u{202e}"), "{picture}");
    let wide = picture.lines().find(|line| line.contains('日')).unwrap();
    assert!(wide.contains('…') && wide.contains("UP"), "{wide}");
}

#[test]
fn a_paused_picture_stands_still() {
    let mut model = model(3);
    press(&mut model, "p");
    let before = drawn(&model, 80, 24);
    assert!(before.contains("paused"));
    model.take(Box::new(sample(6)), Duration::from_secs(1));
    assert_eq!(drawn(&model, 80, 24), before);
    press(&mut model, "p");
    model.take(Box::new(sample(6)), Duration::from_secs(1));
    assert_ne!(drawn(&model, 80, 24), before);
}

#[test]
fn keys_that_end_it() {
    for key in [KeyCode::Char('q'), KeyCode::Esc] {
        let mut model = model(1);
        assert!(!model.is_over());
        model.key(KeyEvent::new(key, KeyModifiers::NONE));
        assert!(model.is_over());
    }
    let mut model = model(1);
    press(&mut model, "c");
    assert!(!model.is_over());
    model.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(model.is_over());
}

#[test]
fn nothing_is_known_of_a_silent_gateway() {
    let mut model = Model::every(1);
    model.take(Box::default(), Duration::from_secs(1));
    let picture = drawn(&model, 80, 24);
    assert!(picture.contains("Sessions               –"), "{picture}");
}

#[test]
fn a_snapshot_shows_every_row() {
    use gate_cli::top::draw::{Scene, View};
    use gate_cli::top::rates::{Pair, Past};
    let (before, now) = (sample(0), sample(2));
    let pair = Pair::new(Some(&before), &now, 2.0);
    let mut past = Past::default();
    past.push(&now, &pair.rates());
    let json: Value = serde_json::from_str(&gate_cli::top::json::snapshot(&now, &pair)).unwrap();
    assert_eq!(json["perSecond"]["handshakes"], 14.0);
    assert_eq!(json["vservers"][0]["perSecond"]["downBytes"], 20_000_000.0);
    assert_eq!(json["workers"][2]["askQueue"], 900);
    assert_eq!(json["drain"], Value::Null);
    let rates = pair.rates();
    let scene = Scene { now: &now, pair, rates, past: &past, view: &View::default(), interval_s: 2, trouble: None, live: false };
    golden("top.once", &snapshot(&scene, 80));
}
