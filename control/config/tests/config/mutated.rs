//! Ten thousand socket lines and as many files that are nearly right: no panic, no guess, no half of a change, nothing that acts on a terminal.

use gate_config::catalog::{Op, asks, commands};
use gate_config::complete::complete;
use gate_config::edit::Editor;
use gate_config::files::Loaded;
use gate_config::model::Model;
use gate_config::order::{Order, read, split};
use gate_config::text::visible::is_unseen;
use gate_config::{Strictness, check, schema, show};

use crate::kit::{Paper, strict};

const LINES: usize = 10_000;

/// Whole files, made of short ones.
const FILES: usize = 10_000;

/// A small generator of numbers (SplitMix64), so that a seed is all that a failure needs.
struct Dice(u64);

impl Dice {
    /// One to three lines of a file changed, taken away, said twice, put elsewhere; or the file cut off.
    fn mutate_file(&mut self, text: &str, others: &[&str]) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for _ in 0..=self.roll(3) {
            let (at, other) = (self.roll(lines.len()), self.roll(lines.len()));
            match self.roll(8) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(other, lines[at].clone()),
                2 => lines.swap(at, other),
                3 => lines.insert(at, self.pick(others).to_owned()),
                4 => {
                    // Two lines become one, as when a line end is lost.
                    let line = lines.remove(at);
                    if let Some(next) = lines.get_mut(at) {
                        next.insert_str(0, &line);
                    }
                }
                _ => lines[at] = self.mutate(&lines[at], others),
            }
            if lines.is_empty() {
                break;
            }
        }
        let mut text = lines.join(self.pick(&["\n", "\n", "\n", "\r\n"]));
        if self.roll(8) == 0 {
            let mut end = self.roll(text.len() + 1);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        text
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) & 0xffff_ffff).unwrap_or_default() % sides.max(1)
    }

    fn pick<'p>(&mut self, these: &[&'p str]) -> &'p str {
        these[self.roll(these.len())]
    }

    /// One to three changes of a kind that hands, pages and programs make.
    fn mutate(&mut self, line: &str, others: &[&str]) -> String {
        let mut line = line.to_owned();
        for _ in 0..=self.roll(3) {
            let characters: Vec<char> = line.chars().collect();
            let at = self.roll(characters.len() + 1);
            let (head, tail): (String, String) = (characters[..at].iter().collect(), characters[at..].iter().collect());
            let mut words: Vec<&str> = line.split(' ').collect();
            let count = words.len();
            line = match self.roll(9) {
                0 => format!(
                    "{head}{}{tail}",
                    self.pick(&["\"", "'", "\\", "(", ")", ";", "#", "-", ",", "q{", "/", " ", "\t", "\n"])
                ),
                1 => format!(
                    "{head}{}{tail}",
                    self.pick(&["\u{0}", "\u{1b}[2J", "\u{7f}", "\u{9b}", "\u{202e}", "\u{2028}", "é", "\u{feff}", "😀"])
                ),
                2 => format!("{head}{}", tail.chars().skip(1).collect::<String>()),
                3 => head,
                4 => {
                    let other = at % count;
                    words.swap(0, other);
                    words.join(" ")
                }
                5 => {
                    words.insert(
                        at % words.len(),
                        self.pick(&["-", "-x", "-name", "18446744073709551616", "0", "-1", "\"\"", "::", "stats"]),
                    );
                    words.join(" ")
                }
                6 => {
                    words.remove(at % count);
                    words.join(" ")
                }
                7 => format!("{head}{}{tail}", self.pick(others)),
                _ => format!("{head}{}{tail}", "a".repeat(self.roll(40) * self.roll(40))),
            };
        }
        line
    }
}

fn rich() -> Model {
    let makes = commands().iter().flat_map(|command| command.forms);
    let text: Vec<&str> = makes
        .filter(|form| matches!(form.op, Op::Add | Op::Set | Op::Bind | Op::Enable | Op::Link))
        .map(|form| form.example)
        .collect();
    strict(&text.join("\n")).model.unwrap_or_default()
}

fn unseen(text: &str) -> bool {
    text.chars().any(|c| is_unseen(c) && c != '\n' && c != '\t')
}

#[test]
fn ten_thousand_mutated_files_are_a_configuration_or_none() {
    let makes: Vec<&str> = commands()
        .iter()
        .flat_map(|command| command.forms)
        .filter(|form| matches!(form.op, Op::Add | Op::Set | Op::Bind | Op::Enable | Op::Link))
        .map(|form| form.example)
        .collect();
    let gateway = "enable ns feature SSLVPN AAA\nadd ssl certKey gw -cert gw.pem -key gw.key\nadd aaa user ann -password hunter2\n\
                   add vpn vserver gw SSL 192.0.2.1 443 -vserverFqdn gw.example.test\nbind ssl vserver gw -certkeyName gw\n\
                   add farm server farm 127.0.0.1 8080 -authorityID STA01\nbind vpn vserver gw -staServer http://127.0.0.1:8080\n\
                   add vpn allowedHost all 10.0.0.0/8 -port 1494\nadd farm resource pad -host 10.0.0.1\n\
                   bind farm resource pad -userName ann\nset ns limits -idleTimeoutMs 600000\n";
    let sources: Vec<String> = makes.chunks(6).map(|some| some.join("\n")).chain([gateway.to_owned()]).collect();
    let mut dice = Dice(20_261_129);
    let (mut right, mut wrong) = (0, 0);
    for number in 0..FILES {
        let of_all = if dice.roll(2) == 0 { sources.len() - 1 } else { dice.roll(sources.len()) };
        let text = dice.mutate_file(&sources[of_all], &makes);
        let mode = if number % 2 == 0 { Strictness::Strict } else { Strictness::Lenient };
        let checked = check("ns.conf", &text, mode, &Paper);
        // There is a configuration or an error, never both and never neither: nothing is taken in part.
        assert_eq!(checked.model.is_some(), checked.errors().next().is_none(), "{number}: {text:?}");
        for problem in &checked.problems {
            let told = problem.to_string();
            assert!(!unseen(&told) && !unseen(&problem.to_json()), "{number}: {text:?}");
        }
        let Some(model) = checked.model else {
            wrong += 1;
            continue;
        };
        right += 1;
        // What it is taken for is what is saved.
        if number % 4 == 0 {
            let printed = model.print();
            assert!(!printed.contains("hunter2") && !unseen(&printed), "{number}: {text:?}");
            let again = check("ns.conf", &printed, mode, &Paper);
            assert_eq!(again.model.map(|model| model.print()), Some(printed), "{number}: {text:?}");
        }
    }
    // Both kinds are there, or the changes are too great or too small to say anything.
    assert!(right > FILES / 20 && wrong > FILES / 4, "{right} right, {wrong} wrong");
}

#[test]
fn ten_thousand_mutated_lines_do_no_harm() {
    let model = rich();
    let examples: Vec<&str> = commands()
        .iter()
        .flat_map(|command| command.forms)
        .flat_map(|form| form.example.lines())
        .chain(asks().iter().map(|ask| ask.example))
        .chain(["show vpn vserver", "show ssl certKey", "show ns limits -format json", "add a b \"f(\"x\")\""])
        .collect();
    let mut dice = Dice(20_261_122);
    let mut editor = Editor::new(&model, &Loaded::default(), Strictness::Strict);
    let (mut orders, mut wrong, mut done) = (0, 0, 0);
    for number in 0..LINES {
        let example = dice.pick(&examples);
        let line = dice.mutate(example, &examples);
        for part in split(&line) {
            match read(part) {
                Ok(Order::Show(order)) => {
                    orders += 1;
                    let answer = show::configured(&model, &order);
                    let (text, json) = answer.as_ref().map_or_else(|p| (p.reply(true), p.reply_json()), |a| (a.text(), a.json()));
                    assert!(!unseen(&text) && !unseen(&json), "{number}: {line:?}");
                    let of = if answer.is_ok() { format!("show {}", order.command.words) } else { schema::ERROR.to_owned() };
                    if number % 16 == 0 {
                        assert_eq!(schema::validate(&json, &of), Ok(()), "{number}: {line:?}");
                    }
                }
                Ok(Order::Ask(order)) => {
                    orders += 1;
                    if let Some(answer) = show::ask(&model, &order) {
                        let text = answer.map_or_else(|problem| problem.reply(true), |answer| answer.text());
                        assert!(!unseen(&text), "{number}: {line:?}");
                    }
                }
                Ok(Order::Nothing | Order::Change(_)) => orders += 1,
                Err(problems) => {
                    assert!(!problems.is_empty(), "{number}: {line:?}");
                    for problem in problems {
                        assert!(!unseen(&problem.reply(true)) && !unseen(&problem.reply_json()), "{number}: {line:?}");
                    }
                }
            }
        }
        // A line that is refused changes nothing. It is held against the whole model for a part of them only, since that takes long.
        let looked_at = number % 64 == 0;
        let mut alone = looked_at.then(|| Editor::new(&model, &Loaded::default(), Strictness::Strict));
        let applied = alone.as_mut().unwrap_or(&mut editor).line(&line, &Paper);
        if let Some(alone) = alone {
            let edited = alone.finish(&Paper);
            let late = edited.late.iter().flat_map(|late| &late.problems);
            if applied.problems.iter().chain(late).any(gate_config::problem::Problem::is_error) {
                assert_eq!(edited.model, model, "{number}: {line:?}");
            }
        }
        if applied.is_done() {
            done += 1
        } else {
            wrong += 1
        }
        let cursor = dice.roll(line.len() + 2);
        for candidate in complete(&line, cursor, &|command| show::names(&model, command.words)) {
            assert!(candidate.start <= cursor && line.is_char_boundary(candidate.start), "{number}: {line:?}");
        }
    }
    // All kinds are there, or the changes are too great or too small to say anything.
    assert!(orders > LINES / 20 && done > LINES / 50 && wrong > LINES / 2, "{orders} orders, {done} lines done, {wrong} wrong");
    // What is left of all that was done is a configuration.
    let printed = editor.finish(&Paper).model.print();
    let again = strict(&printed);
    let errors: Vec<String> = again.errors().map(ToString::to_string).collect();
    assert_eq!(again.model.map(|model| model.print()), Some(printed), "{errors:?}");
}
