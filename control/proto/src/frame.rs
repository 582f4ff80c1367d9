//! The control socket's two ways to speak: plain lines for people and scripts, frames for the operator's tool.
//!
//! ```text
//!   bytes ─► Lines ─► Line ──────────────────────────────────────────────────► one command line each
//!              │ first line is [`HELLO`]
//!              └─► Frames<Ask> ─► Frame ─► Requests ─► run: one line            batch … batch go: many
//!   bytes ◄─ write(Say::Text …) … write(Say::End "0")
//! ```
//!
//! A frame is `KIND LENGTH\n` and LENGTH bytes of UTF-8. The length has no sign, no leading zero and no blank but the one before
//! it, so that every frame has one spelling. The same reader serves both ends, since only the kinds differ. A peer that breaks
//! this grammar is not spoken to any longer: nobody can tell where its next frame begins.
//!
//! Lines may hold passwords: they are wiped when dropped, and have no `Debug`.

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

/// The first line of a client that wants frames. It is a comment, so nothing happens where it is not understood.
pub const HELLO: &str = "#sluicectl 1";
/// Longest line, in bytes, its end not counted.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// Longest payload of a frame, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// Longest batch, in bytes, over all its frames: a whole configuration file.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest header of a frame, in bytes, its line end included.
pub const HEADER_BYTES_MAX: usize = 32;
/// Digits of the longest length.
const LENGTH_DIGITS_MAX: usize = 6;

const _: () = assert!(PAYLOAD_BYTES_MAX < 10usize.pow(6) && LENGTH_DIGITS_MAX == 6);
const _: () = assert!(LINE_BYTES_MAX <= PAYLOAD_BYTES_MAX && PAYLOAD_BYTES_MAX <= BATCH_BYTES_MAX);

/// What one side may say.
pub trait Kind: Copy + Eq + fmt::Debug + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// As it stands in a header: lower-case letters.
    fn word(self) -> &'static str;
}

/// What a client may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One line, or several commands with `;` between.
    Run,
    /// A part of a batch: lines. A line may be cut between two frames.
    Batch,
    /// The batch is complete: carry it out. No payload.
    Go,
}

impl Kind for Ask {
    const ALL: &'static [Self] = &[Self::Run, Self::Batch, Self::Go];

    fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Batch => "batch",
            Self::Go => "go",
        }
    }
}

/// What the gateway may say. It answers every request with any number of frames and then one [`Say::End`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Part of the answer's text. Several follow each other without anything between.
    Text,
    /// A warning, without the word `Warning:` and without a line end.
    Warning,
    /// An error, without the word `ERROR:` and without a line end.
    Error,
    /// How far something is that takes its time. One line, replaced by the next.
    Progress,
    /// The request is over: the number of its error in decimal, `0` for Done.
    End,
}

impl Kind for Say {
    const ALL: &'static [Self] = &[Self::Text, Self::Warning, Self::Error, Self::Progress, Self::End];

    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Progress => "progress",
            Self::End => "end",
        }
    }
}

/// One thing said.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame<K> {
    /// What it is.
    pub kind: K,
    /// Its payload, at most [`PAYLOAD_BYTES_MAX`] bytes. Wiped on drop.
    pub payload: Zeroizing<String>,
}

impl Frame<Say> {
    /// The number that an [`Say::End`] carries; none of another kind, or if it is not one.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        let digits = self.payload.as_str();
        let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        (self.kind == Say::End && canonical).then(|| digits.parse().ok()).flatten()
    }
}

/// Without the payload.
impl<K: fmt::Debug> fmt::Debug for Frame<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("kind", &self.kind).field("bytes", &self.payload.len()).finish()
    }
}

/// Why a stream of frames cannot be read. The sender's fault; what follows has no meaning any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadFrame {
    /// No line end within [`HEADER_BYTES_MAX`].
    #[error("the header of a frame has more than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLong,
    /// The header is not a word, one blank, and a number.
    #[error("the header of a frame is not KIND LENGTH")]
    Malformed,
    /// A kind that this side does not know.
    #[error("no frame is of this kind")]
    Unknown,
    /// Longer than [`PAYLOAD_BYTES_MAX`].
    #[error("a frame holds at most {PAYLOAD_BYTES_MAX} bytes")]
    TooLong,
    /// The payload is not UTF-8.
    #[error("the payload of a frame is not UTF-8")]
    NotText,
}

/// Reads frames from bytes that come as they come. Holds at most one header and one payload.
pub struct Frames<K> {
    at: At<K>,
}

enum At<K> {
    Header(Vec<u8>),
    Payload { kind: K, length: usize, bytes: Zeroizing<Vec<u8>> },
    Broken(BadFrame),
}

impl<K: Kind> Default for Frames<K> {
    fn default() -> Self {
        Self { at: At::Header(Vec::new()) }
    }
}

/// Without what was read.
impl<K: Kind> fmt::Debug for Frames<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = match &self.at {
            At::Header(_) => "header",
            At::Payload { .. } => "payload",
            At::Broken(_) => "broken",
        };
        f.debug_struct("Frames").field("at", &at).finish()
    }
}

impl<K: Kind> Frames<K> {
    /// Takes bytes from the front of `bytes`, up to the end of one frame. `None`: all are taken, and more are needed.
    ///
    /// # Errors
    /// [`BadFrame`]; the same for ever after.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame<K>>, BadFrame> {
        loop {
            match &mut self.at {
                At::Broken(fault) => return Err(*fault),
                At::Header(head) => {
                    let room = HEADER_BYTES_MAX - head.len();
                    let line = take_through_line_end(bytes, room);
                    head.extend_from_slice(line);
                    if head.last() != Some(&b'\n') {
                        if head.len() >= HEADER_BYTES_MAX {
                            return self.broken(BadFrame::HeaderTooLong);
                        }
                        return Ok(None);
                    }
                    match read_header(&head[..head.len() - 1]) {
                        Err(fault) => return self.broken(fault),
                        Ok((kind, length)) => {
                            let bytes = Zeroizing::new(Vec::with_capacity(length));
                            self.at = At::Payload { kind, length, bytes };
                        }
                    }
                }
                At::Payload { kind, length, bytes: held } => {
                    let (taken, rest) = bytes.split_at(bytes.len().min(*length - held.len()));
                    held.extend_from_slice(taken);
                    *bytes = rest;
                    if held.len() < *length {
                        return Ok(None);
                    }
                    let (kind, held) = (*kind, std::mem::take(&mut **held));
                    return match String::from_utf8(held) {
                        Ok(payload) => {
                            self.at = At::Header(Vec::new());
                            Ok(Some(Frame { kind, payload: Zeroizing::new(payload) }))
                        }
                        Err(not_text) => {
                            not_text.into_bytes().zeroize();
                            self.broken(BadFrame::NotText)
                        }
                    };
                }
            }
        }
    }

    /// Whether the stream may end here: between two frames.
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(&self.at, At::Header(head) if head.is_empty())
    }

    fn broken(&mut self, fault: BadFrame) -> Result<Option<Frame<K>>, BadFrame> {
        self.at = At::Broken(fault);
        Err(fault)
    }
}

/// Cuts off the front of `bytes`: up to and with the first line end, at most `room`.
fn take_through_line_end<'b>(bytes: &mut &'b [u8], room: usize) -> &'b [u8] {
    let near = &bytes[..bytes.len().min(room)];
    let end = near.iter().position(|b| *b == b'\n').map_or(near.len(), |at| at + 1);
    let (taken, rest) = bytes.split_at(end);
    *bytes = rest;
    taken
}

fn read_header<K: Kind>(head: &[u8]) -> Result<(K, usize), BadFrame> {
    let blank = head.iter().position(|b| *b == b' ').ok_or(BadFrame::Malformed)?;
    let (word, digits) = (&head[..blank], &head[blank + 1..]);
    let canonical = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    if word.is_empty() || !word.iter().all(u8::is_ascii_lowercase) || !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadFrame::Malformed);
    }
    let kind = K::ALL.iter().copied().find(|kind| kind.word().as_bytes() == word).ok_or(BadFrame::Unknown)?;
    if digits.len() > LENGTH_DIGITS_MAX {
        return Err(BadFrame::TooLong);
    }
    let length = digits.iter().fold(0usize, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    if length > PAYLOAD_BYTES_MAX { Err(BadFrame::TooLong) } else { Ok((kind, length)) }
}

/// Writes `text` behind `out`, as one frame, or as several of the same kind if it is too long for one: cut between characters, so
/// that each is text by itself. Only [`Say::Text`] and [`Ask::Batch`] mean the same in pieces.
pub fn write<K: Kind>(kind: K, text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let (piece, after) = rest.split_at(boundary(rest, PAYLOAD_BYTES_MAX));
        out.extend_from_slice(kind.word().as_bytes());
        out.extend_from_slice(format!(" {}\n", piece.len()).as_bytes());
        out.extend_from_slice(piece.as_bytes());
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

/// The last place at or before `at` that lies between two characters of `text`, or its end.
fn boundary(text: &str, at: usize) -> usize {
    if at >= text.len() { text.len() } else { (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default() }
}

/// What a framed client wants.
pub enum Request {
    /// One line is to be carried out.
    Run(Zeroizing<String>),
    /// Many lines are.
    Batch(Zeroizing<String>),
}

/// Without the text.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, text) = match self {
            Self::Run(text) => ("Run", text),
            Self::Batch(text) => ("Batch", text),
        };
        f.debug_struct(name).field("bytes", &text.len()).finish()
    }
}

/// Why frames, each right by itself, are no request. The client's fault. The next frame begins a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// A line that is too long, or has a line end inside.
    #[error("a line has at most {LINE_BYTES_MAX} bytes and no line end inside")]
    Line,
    /// More than [`BATCH_BYTES_MAX`].
    #[error("a batch has at most {BATCH_BYTES_MAX} bytes")]
    BatchTooLong,
    /// `run` between `batch` and `go`.
    #[error("a batch is under way: end it with go first")]
    InBatch,
    /// `go` with a payload.
    #[error("go has no payload")]
    Payload,
}

/// Puts frames together to requests.
#[derive(Default)]
pub struct Requests {
    batch: Option<Zeroizing<String>>,
    /// Rest of a batch that was refused: dropped up to its `go`.
    is_skipping: bool,
}

/// Without the text.
impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("batch_bytes", &self.batch.as_ref().map(|batch| batch.len())).finish_non_exhaustive()
    }
}

impl Requests {
    /// Whether a batch is under way.
    #[must_use]
    pub fn in_batch(&self) -> bool {
        self.batch.is_some() || self.is_skipping
    }

    /// Takes the next frame. `None`: the request is not complete, or what was left of a refused batch has been dropped.
    ///
    /// # Errors
    /// [`BadRequest`]; one for each request.
    pub fn take(&mut self, frame: Frame<Ask>) -> Result<Option<Request>, BadRequest> {
        match frame.kind {
            Ask::Run if self.in_batch() => {
                self.batch = None;
                self.is_skipping = false;
                Err(BadRequest::InBatch)
            }
            Ask::Run => {
                let line = frame.payload.strip_suffix('\n').unwrap_or(&frame.payload);
                if line.len() > LINE_BYTES_MAX || line.contains('\n') {
                    return Err(BadRequest::Line);
                }
                Ok(Some(Request::Run(Zeroizing::new(line.to_owned()))))
            }
            Ask::Batch if self.is_skipping => Ok(None),
            Ask::Batch => {
                let held = self.batch.get_or_insert_default();
                if held.len() + frame.payload.len() > BATCH_BYTES_MAX {
                    self.batch = None;
                    self.is_skipping = true;
                    return Err(BadRequest::BatchTooLong);
                }
                append(held, &frame.payload);
                Ok(None)
            }
            Ask::Go if std::mem::take(&mut self.is_skipping) => Ok(None),
            Ask::Go => {
                let batch = self.batch.take().unwrap_or_default();
                if frame.payload.is_empty() { Ok(Some(Request::Batch(batch))) } else { Err(BadRequest::Payload) }
            }
        }
    }
}

/// Appends without leaving an unwiped copy behind where the text grows.
fn append(held: &mut Zeroizing<String>, more: &str) {
    let needed = held.len() + more.len();
    if held.capacity() < needed {
        let mut larger = Zeroizing::new(String::with_capacity(needed.max(2 * held.capacity()).min(BATCH_BYTES_MAX)));
        larger.push_str(held);
        *held = larger;
    }
    held.push_str(more);
}

/// One line of plain mode, or why there is none. A bad line costs itself and nothing else.
pub enum Line {
    /// Without its end.
    Text(Zeroizing<String>),
    /// Longer than [`LINE_BYTES_MAX`]. Its rest will be dropped.
    TooLong,
    /// Not UTF-8.
    NotText,
}

/// Without the text.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_struct("Text").field("bytes", &text.len()).finish(),
            Self::TooLong => f.write_str("TooLong"),
            Self::NotText => f.write_str("NotText"),
        }
    }
}

/// Reads lines from bytes that come as they come. A line ends with LF or CR LF. Holds at most one line.
#[derive(Default)]
pub struct Lines {
    held: Zeroizing<Vec<u8>>,
    is_skipping: bool,
}

/// Without what was read.
impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("held", &self.held.len()).field("is_skipping", &self.is_skipping).finish()
    }
}

impl Lines {
    /// Takes bytes from the front of `bytes`, up to the end of one line. `None`: all are taken, and more are needed. A line that is
    /// too long is told of as soon as that is certain.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        if self.is_skipping {
            let taken = take_through_line_end(bytes, bytes.len());
            self.is_skipping = taken.last() != Some(&b'\n');
            if self.is_skipping {
                return None;
            }
        }
        if self.held.capacity() == 0 {
            // At once, so that nothing is copied, and left behind unwiped, while it grows.
            self.held.reserve_exact(LINE_BYTES_MAX + 2);
        }
        let taken = take_through_line_end(bytes, LINE_BYTES_MAX + 2 - self.held.len());
        self.held.extend_from_slice(taken);
        let is_whole = self.held.last() == Some(&b'\n');
        if !is_whole && self.held.len() < LINE_BYTES_MAX + 2 {
            return None;
        }
        let mut line = std::mem::take(&mut self.held);
        if !is_whole {
            self.is_skipping = true;
            return Some(Line::TooLong);
        }
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(judge(line))
    }

    /// What stands behind the last line end, when no more will come: people forget it.
    pub fn rest(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.held);
        (!rest.is_empty()).then(|| judge(rest))
    }
}

fn judge(mut line: Zeroizing<Vec<u8>>) -> Line {
    if line.len() > LINE_BYTES_MAX {
        return Line::TooLong;
    }
    match String::from_utf8(std::mem::take(&mut *line)) {
        Ok(text) => Line::Text(Zeroizing::new(text)),
        Err(not_text) => {
            not_text.into_bytes().zeroize();
            Line::NotText
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that `bytes` hold, cut at `cuts`.
    fn read<K: Kind>(bytes: &[u8], cuts: &[usize]) -> (Vec<(K, String)>, Option<BadFrame>, bool) {
        let mut frames = Frames::<K>::default();
        let mut found = Vec::new();
        for mut piece in pieces(bytes, cuts) {
            loop {
                match frames.next(&mut piece) {
                    Ok(Some(frame)) => found.push((frame.kind, frame.payload.to_string())),
                    Ok(None) => break,
                    Err(fault) => return (found, Some(fault), false),
                }
            }
            assert!(piece.is_empty());
        }
        (found, None, frames.is_between())
    }

    fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        let mut all = Vec::new();
        for cut in cuts.into_iter().chain([bytes.len()]) {
            all.push(&bytes[from..cut]);
            from = cut;
        }
        all
    }

    fn lines(bytes: &[u8], cuts: &[usize]) -> Vec<Result<String, &'static str>> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let said = |line| match line {
            Line::Text(text) => Ok(text.to_string()),
            Line::TooLong => Err("long"),
            Line::NotText => Err("not text"),
        };
        for mut piece in pieces(bytes, cuts) {
            while let Some(line) = lines.next(&mut piece) {
                found.push(said(line));
            }
            assert!(piece.is_empty());
        }
        found.extend(lines.rest().map(said));
        found
    }

    fn frame(kind: Ask, payload: &str) -> Frame<Ask> {
        Frame { kind, payload: Zeroizing::new(payload.to_owned()) }
    }

    #[test]
    fn every_broken_clause() {
        for (bytes, fault) in [
            (&b"run 1"[..], None),
            (b"run\n", Some(BadFrame::Malformed)),
            (b"run \n", Some(BadFrame::Malformed)),
            (b" 1\n", Some(BadFrame::Malformed)),
            (b"run  1\n", Some(BadFrame::Malformed)),
            (b"run 01\n", Some(BadFrame::Malformed)),
            (b"run 00\n", Some(BadFrame::Malformed)),
            (b"run +1\n", Some(BadFrame::Malformed)),
            (b"run -1\n", Some(BadFrame::Malformed)),
            (b"run 1 \n", Some(BadFrame::Malformed)),
            (b"run 1\r\n", Some(BadFrame::Malformed)),
            (b"RUN 1\n", Some(BadFrame::Malformed)),
            (b"\n", Some(BadFrame::Malformed)),
            (b"text 1\n", Some(BadFrame::Unknown)),
            (b"run 131073\n", Some(BadFrame::TooLong)),
            (b"run 18446744073709551616\n", Some(BadFrame::TooLong)),
            (b"run 99999999999999999999999999999999\n", Some(BadFrame::HeaderTooLong)),
            (b"run 1\n\xff", Some(BadFrame::NotText)),
        ] {
            assert_eq!(read::<Ask>(bytes, &[]), (vec![], fault, false), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(read::<Ask>(b"go 0\n", &[]), (vec![(Ask::Go, String::new())], None, true));
    }

    #[test]
    fn a_broken_stream_stays_broken() {
        let mut frames = Frames::<Ask>::default();
        let mut bytes: &[u8] = b"nonsense\ngo 0\n";
        assert_eq!(frames.next(&mut bytes), Err(BadFrame::Malformed));
        assert_eq!(frames.next(&mut bytes), Err(BadFrame::Malformed));
    }

    #[test]
    fn long_text_goes_in_several_frames_cut_between_characters() {
        let text = format!("x{}", "ä".repeat(PAYLOAD_BYTES_MAX));
        let mut out = Vec::new();
        write(Say::Text, &text, &mut out);
        let (found, fault, between) = read::<Say>(&out, &[]);
        assert!(fault.is_none() && between);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].1.len(), PAYLOAD_BYTES_MAX - 1);
        assert_eq!(found.into_iter().map(|(_, text)| text).collect::<String>(), text);
    }

    #[test]
    fn the_number_of_an_end() {
        let end = |payload: &str| Frame { kind: Say::End, payload: Zeroizing::new(payload.to_owned()) }.number();
        assert_eq!([end("0"), end("1088"), end("65535")], [Some(0), Some(1088), Some(65535)]);
        assert_eq!([end(""), end("00"), end("01"), end("+1"), end("65536"), end("x")], [None; 6]);
        assert_eq!(Frame { kind: Say::Text, payload: Zeroizing::new("0".to_owned()) }.number(), None);
    }

    #[test]
    fn requests() {
        let mut requests = Requests::default();
        assert!(
            matches!(requests.take(frame(Ask::Run, "show version\n")), Ok(Some(Request::Run(line))) if *line == "show version")
        );
        assert!(matches!(requests.take(frame(Ask::Go, "")), Ok(Some(Request::Batch(text))) if text.is_empty()));
        assert!(matches!(requests.take(frame(Ask::Batch, "a\nb")), Ok(None)));
        assert!(requests.in_batch());
        assert!(matches!(requests.take(frame(Ask::Batch, "c\n")), Ok(None)));
        assert!(matches!(requests.take(frame(Ask::Go, "")), Ok(Some(Request::Batch(text))) if *text == "a\nbc\n"));
        assert!(!requests.in_batch());
    }

    #[test]
    fn bad_requests_cost_themselves_only() {
        let mut requests = Requests::default();
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        assert_eq!(requests.take(frame(Ask::Run, &long)).unwrap_err(), BadRequest::Line);
        assert_eq!(requests.take(frame(Ask::Run, "a\nb")).unwrap_err(), BadRequest::Line);
        assert_eq!(requests.take(frame(Ask::Go, "x")).unwrap_err(), BadRequest::Payload);
        assert!(matches!(requests.take(frame(Ask::Batch, "a\n")), Ok(None)));
        assert_eq!(requests.take(frame(Ask::Run, "b")).unwrap_err(), BadRequest::InBatch);
        assert!(
            matches!(requests.take(frame(Ask::Run, &long[1..])), Ok(Some(Request::Run(line))) if line.len() == LINE_BYTES_MAX)
        );
        let part = "x".repeat(PAYLOAD_BYTES_MAX);
        for _ in 0..BATCH_BYTES_MAX / PAYLOAD_BYTES_MAX {
            assert!(matches!(requests.take(frame(Ask::Batch, &part)), Ok(None)));
        }
        assert_eq!(requests.take(frame(Ask::Batch, "x")).unwrap_err(), BadRequest::BatchTooLong);
        assert!(matches!(requests.take(frame(Ask::Batch, "x")), Ok(None)));
        assert!(matches!(requests.take(frame(Ask::Go, "")), Ok(None)));
        assert!(matches!(requests.take(frame(Ask::Batch, &part)), Ok(None)));
        assert!(matches!(requests.take(frame(Ask::Go, "")), Ok(Some(Request::Batch(text))) if text.len() == PAYLOAD_BYTES_MAX));
    }

    #[test]
    fn lines_of_every_length() {
        let at_most = "x".repeat(LINE_BYTES_MAX);
        let found = |text: &str, cuts: &[usize]| lines(text.as_bytes(), cuts);
        assert_eq!(found("a\r\n\nb", &[]), [Ok("a".into()), Ok(String::new()), Ok("b".into())]);
        assert_eq!(found("a\rb\n", &[]), [Ok("a\rb".into())]);
        assert_eq!(found(&format!("{at_most}\n"), &[]), [Ok(at_most.clone())]);
        assert_eq!(found(&format!("{at_most}\r\nb\n"), &[LINE_BYTES_MAX + 1]), [Ok(at_most.clone()), Ok("b".into())]);
        for over in ["x\n", "x\r\n", "xx\n", "xxx\n"] {
            assert_eq!(found(&format!("{at_most}{over}b\n"), &[]), [Err("long"), Ok("b".into())], "{over:?}");
        }
        assert_eq!(found(&format!("{at_most}{at_most}{at_most}"), &[9, 40_000]), [Err("long")]);
        assert_eq!(lines(b"a\n\xff\nb\0\n\xff", &[]), [Ok("a".into()), Err("not text"), Ok("b\0".into()), Err("not text")]);
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back_however_it_is_cut(
            said in proptest::collection::vec((0..Say::ALL.len(), ".{0,40}"), 0..8),
            cuts in proptest::collection::vec(any::<usize>(), 0..12),
        ) {
            let mut out = Vec::new();
            for (kind, text) in &said {
                write(Say::ALL[*kind], text, &mut out);
            }
            let wanted: Vec<_> = said.iter().map(|(kind, text)| (Say::ALL[*kind], text.clone())).collect();
            prop_assert_eq!(read::<Say>(&out, &cuts), (wanted, None, true));
        }

        #[test]
        fn any_bytes_say_the_same_however_they_are_cut(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b'1'), Just(b'g'), Just(b'o'), any::<u8>()], 0..80),
            cuts in proptest::collection::vec(any::<usize>(), 0..12),
        ) {
            prop_assert_eq!(read::<Ask>(&bytes, &cuts), read::<Ask>(&bytes, &[]));
            prop_assert_eq!(lines(&bytes, &cuts), lines(&bytes, &[]));
        }
    }
}
