//! Text to tree, left to right, in one go. What can stand between the parentheses of a member depends on the member, so there is no
//! lexer before this.
//!
//! ```text
//!   either   = both { "||" both }                      true or false
//!   both     = equality { "&&" equality }
//!   equality = order { ("==" | "!=") order }
//!   order    = sum { ("<" | "<=" | ">" | ">=") sum }
//!   sum      = product { ("+" | "-") product }         numbers; "+" also texts
//!   product  = unary { ("*" | "/" | "%") unary }
//!   unary    = { "!" } operand
//!   operand  = ( "(" either ")" | literal | name | root ) { "." member [ "(" arguments ")" ] }
//! ```

use std::net::IpAddr;
use std::ops::Range;

use regex_lite::RegexBuilder;

use crate::catalog::nearest;
use crate::model::{Cidr, NotAnAddress};

use super::classic;
use super::fault::{Fault, FaultKind};
use super::kind::Kind;
use super::members::{self, Member, Op, Takes};
use super::moment::{Moment, NotAMoment};
use super::tree::{Argument, Arithmetic, Call, Comparison, DEPTH_MAX, Node, Tree};

/// Longest regular expression, in characters.
const REGEX_CHARS_MAX: usize = 256;
/// What a compiled regular expression may take, in bytes. It bounds the work for each byte of a text.
const REGEX_BYTES_MAX: usize = 16 * 1024;

type Read<T> = Result<T, Fault>;

/// A part that has been read.
struct Part {
    node: Node,
    kind: Kind,
    at: Range<usize>,
}

/// Reads a whole expression.
pub(crate) fn read(text: &str) -> Result<Tree, Fault> {
    let mut reader = Reader { text, at: 0, depth: 0, names: Vec::new(), sets: Vec::new(), unsupported: Vec::new() };
    let whole = reader.either()?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.unexpected("an operator or the end"));
    }
    if whole.kind.value().is_none() {
        return Err(no_value(&whole));
    }
    let Reader { names, sets, unsupported, .. } = reader;
    Ok(Tree { root: whole.node, kind: whole.kind, at: whole.at, names, sets, unsupported })
}

/// Reads a rule that may be written in the old language.
pub(crate) fn read_rule(text: &str) -> Result<Tree, Fault> {
    let fault = match read(text) {
        Ok(tree) => return Ok(tree),
        Err(fault) => fault,
    };
    // What is wrong with a text in both languages is told in that in which it seems to be written.
    match classic::convert(text) {
        Ok(converted) => read(&converted),
        Err(not) if fault.kind == FaultKind::Classic => {
            let fault = Fault::new(FaultKind::NotConverted(not.to_string()), 0..text.len());
            Err(fault.hint("write it as an advanced expression: HTTP.REQ.HEADER(\"User-Agent\").CONTAINS(\"…\")"))
        }
        Err(_) => Err(fault),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    names: Vec<(Box<str>, Option<Kind>, Range<usize>)>,
    sets: Vec<(Box<str>, Range<usize>)>,
    unsupported: Vec<(&'static str, &'static str, Range<usize>)>,
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(is_blank).len();
    }

    /// Takes this sign, if it is what comes next.
    fn sign(&mut self, sign: &str) -> bool {
        self.blanks();
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    /// Takes a word of ASCII letters, digits and underscores; empty if there is none.
    fn word(&mut self) -> (&'t str, Range<usize>) {
        let start = self.at;
        let end = self.rest().find(|c| !is_word(c)).unwrap_or_else(|| self.rest().len());
        let word = &self.rest()[..end];
        self.at += end;
        (word, start..self.at)
    }

    /// Refuses what comes next.
    fn unexpected(&self, wanted: &'static str) -> Fault {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Fault::new(FaultKind::Unfinished(wanted), self.text.len()..self.text.len());
        };
        let found =
            if is_word(first) { &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())] } else { &rest[..first.len_utf8()] };
        let fault = Fault::new(FaultKind::Unexpected { found: found.to_owned(), wanted }, self.at..self.at + found.len());
        match first {
            '&' | '|' => fault.hint("between two conditions stands && or ||"),
            '=' => fault.hint("two values are compared with =="),
            '\'' => fault.hint("a text stands in double quotes"),
            _ => fault,
        }
    }

    fn need(&mut self, sign: &str, wanted: &'static str) -> Read<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH_MAX {
            return Err(Fault::new(FaultKind::TooDeep, self.at..self.text.len()));
        }
        self.depth += 1;
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    fn either(&mut self) -> Read<Part> {
        self.tied("||", Self::both, Node::Any)
    }

    fn both(&mut self) -> Read<Part> {
        self.tied("&&", Self::equality, Node::All)
    }

    fn tied(&mut self, sign: &str, inner: fn(&mut Self) -> Read<Part>, tie: fn(Vec<Node>) -> Node) -> Read<Part> {
        let first = inner(self)?;
        if !self.sign(sign) {
            return Ok(first);
        }
        let start = first.at.start;
        let mut nodes = vec![self.wanted(first, Kind::Truth)?.node];
        loop {
            let next = inner(self)?;
            let end = next.at.end;
            nodes.push(self.wanted(next, Kind::Truth)?.node);
            if !self.sign(sign) {
                return Ok(Part { node: tie(nodes), kind: Kind::Truth, at: start..end });
            }
        }
    }

    fn equality(&mut self) -> Read<Part> {
        self.compared(&[("==", Comparison::Equal), ("!=", Comparison::Unequal)], Self::order)
    }

    fn order(&mut self) -> Read<Part> {
        let signs = [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        self.compared(&signs, Self::sum)
    }

    fn compared(&mut self, signs: &[(&str, Comparison)], inner: fn(&mut Self) -> Read<Part>) -> Read<Part> {
        let mut left = inner(self)?;
        let mut others = Vec::new();
        while let Some(comparison) = self.operator(signs) {
            let right = inner(self)?;
            let at = left.at.start..right.at.end;
            let (before, behind) = (self.value(&left)?, self.value(&right)?);
            let fits = match comparison {
                Comparison::Equal | Comparison::Unequal => {
                    matches!(before, Kind::Truth | Kind::Number | Kind::Text | Kind::Address | Kind::Any)
                        && (before == behind || before == Kind::Any || behind == Kind::Any)
                }
                Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                    matches!((before, behind), (Kind::Number | Kind::Any, Kind::Number | Kind::Any))
                }
            };
            if !fits {
                let (left, right) = (left.kind.called(), right.kind.called());
                return Err(Fault::new(FaultKind::Operands { operator: comparison.sign(), left, right }, at));
            }
            others.push((comparison, right.node));
            left = Part { node: left.node, kind: Kind::Truth, at };
        }
        if others.is_empty() {
            return Ok(left);
        }
        Ok(Part { node: Node::Compare(Box::new(left.node), others), ..left })
    }

    fn sum(&mut self) -> Read<Part> {
        self.computed(&[("+", Arithmetic::Add), ("-", Arithmetic::Subtract)], Self::product)
    }

    fn product(&mut self) -> Read<Part> {
        let signs = [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide), ("%", Arithmetic::Remainder)];
        self.computed(&signs, Self::unary)
    }

    fn computed(&mut self, signs: &[(&str, Arithmetic)], inner: fn(&mut Self) -> Read<Part>) -> Read<Part> {
        let mut left = inner(self)?;
        let mut others = Vec::new();
        while let Some(operator) = self.operator(signs) {
            let right = inner(self)?;
            let at = left.at.start..right.at.end;
            let kind = match (operator, self.value(&left)?, self.value(&right)?) {
                (_, Kind::Number, Kind::Number) => Kind::Number,
                (Arithmetic::Add, Kind::Text, Kind::Text | Kind::Number | Kind::Address | Kind::Any)
                | (Arithmetic::Add, Kind::Number | Kind::Address | Kind::Any, Kind::Text) => Kind::Text,
                (_, Kind::Any, Kind::Number | Kind::Any) | (_, Kind::Number, Kind::Any) => Kind::Any,
                (operator, ..) => {
                    let (left, right) = (left.kind.called(), right.kind.called());
                    return Err(Fault::new(FaultKind::Operands { operator: operator.sign(), left, right }, at));
                }
            };
            others.push((operator, right.node));
            left = Part { node: left.node, kind, at };
        }
        if others.is_empty() {
            return Ok(left);
        }
        Ok(Part { node: Node::Compute(Box::new(left.node), others), ..left })
    }

    fn operator<T: Copy>(&mut self, signs: &[(&str, T)]) -> Option<T> {
        signs.iter().find(|(sign, _)| self.sign(sign)).map(|(_, operator)| *operator)
    }

    fn unary(&mut self) -> Read<Part> {
        self.blanks();
        let start = self.at;
        let mut nots = 0_usize;
        while self.sign("!") {
            nots += 1;
        }
        let operand = self.operand()?;
        if nots == 0 {
            return Ok(operand);
        }
        let operand = self.wanted(operand, Kind::Truth)?;
        let at = start..operand.at.end;
        let node = if nots % 2 == 1 { Node::Not(Box::new(operand.node)) } else { operand.node };
        Ok(Part { node, kind: Kind::Truth, at })
    }

    fn operand(&mut self) -> Read<Part> {
        self.blanks();
        let start = self.at;
        let head = match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.deeper(Self::either)?;
                self.need(")", "a closing parenthesis")?;
                inner
            }
            Some('"') => {
                let node = Node::Text(self.quoted()?.into());
                Part { node, kind: Kind::Text, at: start..self.at }
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.number_or_address()?,
            Some('$') => return Err(self.variable()),
            Some(c) if is_word(c) => return self.named(),
            Some(_) | None => return Err(self.unexpected("a condition or a value")),
        };
        let at = start..self.at;
        self.members(Part { at, ..head }, None)
    }

    /// `$name` or `$name[key]`: understood, and refused.
    fn variable(&mut self) -> Fault {
        let start = self.at;
        self.at += 1;
        self.word();
        if self.rest().starts_with('[') {
            self.at += self.rest().find(']').map_or_else(|| self.rest().len(), |end| end + 1);
        }
        let name = self.text.get(start..self.at).unwrap_or_default().to_owned();
        let hint = "what a login must remember goes into attributes of the user: AAA.USER.ATTRIBUTE(1)";
        Fault::new(FaultKind::Variable(name), start..self.at).hint(hint)
    }

    /// A root with its members, a constant, or the name of an expression.
    fn named(&mut self) -> Read<Part> {
        let (word, at) = self.word();
        let constant = match word.to_ascii_lowercase().as_str() {
            "true" | "ns_true" => Some(true),
            "false" | "ns_false" => Some(false),
            _ => None,
        };
        if let Some(value) = constant {
            return self.members(Part { node: Node::Truth(value), kind: Kind::Truth, at }, None);
        }
        self.blanks();
        let next = self.peek();
        if let Some(root) = members::called(Kind::Root, word).first() {
            if next == Some('.') && word.eq_ignore_ascii_case("SYS") && self.is_client_expression() {
                let fault = Fault::new(FaultKind::Client, at.start..at.end + ".client_expr".len());
                return Err(fault.hint("put it into the -csecexpr of an epaAction, and that into a policy of its own"));
            }
            let kind = root.gives;
            return self.members(Part { node: Node::Chain(None, Vec::new()), kind, at }, Some(kind));
        }
        let classic = ["REQ", "RES"].iter().any(|root| root.eq_ignore_ascii_case(word));
        match next {
            Some('.') if classic => {
                let fault = Fault::new(FaultKind::Classic, at);
                Err(fault.hint("write HTTP.REQ.HEADER(\"User-Agent\").CONTAINS(\"…\") or CLIENT.IP.SRC.IN_SUBNET(…)"))
            }
            Some('.' | '(') => {
                let near = nearest(word, members::names(Kind::Root));
                let fault = Fault::new(FaultKind::UnknownRoot(word.to_owned()), at);
                Err(match near {
                    Some(near) => fault.hint(format!("did you mean {near}?")),
                    None if self.names_expression(word) => {
                        fault.hint("a named expression stands alone; members cannot follow it")
                    }
                    None => fault.hint("it begins with HTTP.REQ, AAA.USER, AAA.LOGIN, CLIENT or SYS.TIME"),
                })
            }
            Some(_) | None => {
                self.names.push((word.into(), None, at.clone()));
                Ok(Part { node: Node::Name(word.into()), kind: Kind::Any, at })
            }
        }
    }

    /// Whether a word could be the name of an expression with members behind it.
    fn names_expression(&self, word: &str) -> bool {
        self.rest().starts_with('.') && super::ExpressionName::parse(word).is_ok()
    }

    fn is_client_expression(&self) -> bool {
        let rest = self.rest().trim_start_matches('.').trim_start_matches(is_blank);
        rest.get(.."client_expr".len()).is_some_and(|word| word.eq_ignore_ascii_case("client_expr"))
    }

    /// Members behind what has been read. `root` says that it is nothing by itself yet.
    fn members(&mut self, head: Part, root: Option<Kind>) -> Read<Part> {
        let Part { node, mut kind, at } = head;
        let (start, mut end) = (at.start, at.end);
        let mut calls = Vec::new();
        while self.sign(".") {
            self.blanks();
            let (name, at) = self.word();
            if name.is_empty() {
                return Err(self.unexpected("the name of a member"));
            }
            if kind == Kind::Any {
                let hint = "write the expression out here, or give the whole condition a name";
                return Err(Fault::new(FaultKind::MemberOfName, at).hint(hint));
            }
            let (member, arguments) = self.member(kind, name, &at)?;
            if let Op::Unsupported(why) = member.op {
                self.unsupported.push((member.name, why, at));
            }
            kind = member.gives;
            if member.op != Op::Step {
                calls.push(Call { op: member.op, arguments });
            }
            end = self.at;
        }
        if calls.is_empty() && root.is_none() {
            return Ok(Part { node, kind, at: start..end });
        }
        let head = if root.is_some() { None } else { Some(Box::new(node)) };
        Ok(Part { node: Node::Chain(head, calls), kind, at: start..end })
    }

    /// The member that is called so, with its arguments.
    fn member(&mut self, kind: Kind, name: &str, at: &Range<usize>) -> Read<(&'static Member, Vec<Argument>)> {
        let rows = members::called(kind, name);
        if rows.is_empty() {
            let fault = Fault::new(FaultKind::UnknownMember { member: name.to_owned(), of: kind.called() }, at.clone());
            return Err(match nearest(name, members::names(kind)) {
                Some(near) => fault.hint(format!("did you mean {near}?")),
                None if kind == Kind::Http => fault.hint("a login is judged before there is an answer: HTTP.REQ"),
                None => fault.hint("docs/config/expressions.md has all that are understood"),
            });
        }
        let open = self.rest().trim_start_matches(is_blank).strip_prefix('(');
        let text_first = open.is_some_and(|inside| inside.trim_start_matches(is_blank).starts_with('"'));
        // Of several the one whose arguments look like these.
        let fits = |row: &&&'static Member| match (open, row.takes.first()) {
            (None, None) => true,
            (Some(_), Some(Takes::Text)) => text_first || rows.len() == 1,
            (Some(_), Some(_)) => !text_first || rows.len() == 1,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let Some(member) = rows.iter().find(fits).copied().or_else(|| rows.first().copied()) else {
            return Err(self.unexpected("a member"));
        };
        let mut arguments = Vec::with_capacity(member.takes.len());
        if !member.takes.is_empty() {
            self.need("(", "its arguments in parentheses")?;
            for (number, takes) in member.takes.iter().enumerate() {
                if number > 0 {
                    self.need(",", "a comma and another argument")?;
                }
                arguments.push(self.deeper(|reader| reader.argument(*takes))?);
            }
            self.need(")", "a closing parenthesis")?;
        } else if open.is_some() && !matches!(member.op, Op::Unsupported(_)) {
            self.blanks();
            return Err(self.unexpected("nothing, since it takes no arguments"));
        } else if open.is_some() {
            self.skip_arguments()?;
        }
        Ok((member, arguments))
    }

    /// What stands behind a member that is always undefined: balanced parentheses.
    fn skip_arguments(&mut self) -> Read<()> {
        let mut depth = 0_usize;
        loop {
            self.blanks();
            match self.peek() {
                None => return Err(self.unexpected("a closing parenthesis")),
                Some('"') => {
                    self.quoted()?;
                    continue;
                }
                Some('(') => depth += 1,
                Some(')') => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
            self.at += self.peek().map_or(0, char::len_utf8);
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn argument(&mut self, takes: Takes) -> Read<Argument> {
        self.blanks();
        let start = self.at;
        match takes {
            Takes::Text => self.typed(Kind::Text),
            Takes::Number => self.typed(Kind::Number),
            Takes::Address => {
                let raw = self.raw();
                match raw.parse::<IpAddr>() {
                    Ok(address) => Ok(Argument::Address(address)),
                    Err(_) if raw.starts_with(|c: char| c.is_ascii_digit() || c == ':') => {
                        Err(Fault::new(FaultKind::Address(raw.to_owned()), start..self.at))
                    }
                    Err(_) => {
                        self.at = start;
                        self.typed(Kind::Address)
                    }
                }
            }
            Takes::Network => {
                let raw = self.raw();
                Cidr::parse(raw).map(Argument::Network).map_err(|not| {
                    let kind = FaultKind::Network { text: raw.to_owned(), why: not.to_string() };
                    let fault = Fault::new(kind, start..self.at);
                    if let NotAnAddress::HostBits(network) = not { fault.hint(format!("write {network}")) } else { fault }
                })
            }
            Takes::Pattern => self.regex(),
            Takes::Set => {
                if self.peek() != Some('"') {
                    return Err(self.unexpected("the name of a pattern set, in quotes"));
                }
                let name: Box<str> = self.quoted()?.into();
                self.sets.push((name.clone(), start..self.at));
                Ok(Argument::Set(name))
            }
            Takes::Separator => self.separator(),
            Takes::Word(words) => {
                let quoted = self.peek() == Some('"');
                let said = if quoted { self.quoted()? } else { self.word().0.to_owned() };
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(&said));
                word.map(|word| Argument::Word(word)).ok_or_else(|| {
                    self.at = start;
                    self.unexpected("one of its words").hint(format!("it takes {}", words.join(", ")))
                })
            }
            Takes::Moment => {
                let raw = self.raw();
                Moment::parse(raw).map(Argument::Moment).map_err(|not| {
                    let fault = Fault::new(FaultKind::Moment(raw.to_owned()), start..self.at);
                    fault.hint(match not {
                        NotAMoment::Shape => {
                            "write GMT and a year, and perhaps a month, a day and a time: GMT 2026 Mar 5 10h 30m"
                        }
                        NotAMoment::Local => "the gateway knows no time but UTC: GMT 2026 Mar 5",
                    })
                })
            }
        }
    }

    /// Whatever stands before the next comma or closing parenthesis.
    fn raw(&mut self) -> &'t str {
        let end = self.rest().find([',', ')']).unwrap_or_else(|| self.rest().len());
        let raw = self.rest()[..end].trim_end_matches(is_blank);
        self.at += raw.len();
        raw
    }

    fn typed(&mut self, kind: Kind) -> Read<Argument> {
        let part = self.either()?;
        Ok(Argument::Value(self.wanted(part, kind)?.node))
    }

    /// What a part is as a value.
    fn value(&self, part: &Part) -> Read<Kind> {
        part.kind.value().ok_or_else(|| no_value(part))
    }

    /// A part that must be of this kind. Of a named expression it is remembered that it must.
    fn wanted(&mut self, part: Part, kind: Kind) -> Read<Part> {
        let found = self.value(&part)?;
        if let (Kind::Any, Node::Name(_)) = (found, &part.node) {
            if let Some((_, needed, _)) = self.names.iter_mut().find(|(.., at)| *at == part.at) {
                *needed = Some(kind);
            }
            return Ok(part);
        }
        if found == kind || found == Kind::Any {
            return Ok(part);
        }
        let fault = Fault::new(FaultKind::WrongKind { found: part.kind.called(), wanted: kind.called() }, part.at);
        Err(match (kind, found) {
            (Kind::Truth, Kind::Text) => fault.hint("compare it: .EQ(\"…\"), .CONTAINS(\"…\")"),
            (Kind::Truth, Kind::Number) => fault.hint("compare it: .EQ(1), .GT(1)"),
            (Kind::Text, Kind::Number | Kind::Address) => fault.hint("make a text of it: .TYPECAST_TEXT_T, or quotes around it"),
            (Kind::Number, Kind::Text) => fault.hint("make a number of it: .TYPECAST_NUM_T(DECIMAL)"),
            _ => fault,
        })
    }

    /// A text in quotes.
    fn quoted(&mut self) -> Read<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(Fault::new(FaultKind::Quote, start..self.text.len())) };
            let here = self.at;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => {
                    let escaped = self.peek().unwrap_or('"');
                    self.at += self.peek().map_or(0, char::len_utf8);
                    text.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        '"' | '\'' | '\\' => escaped,
                        other => {
                            let fault = Fault::new(FaultKind::Escape(other), here..self.at);
                            return Err(fault.hint("write \\\\ for a backslash"));
                        }
                    });
                }
                other => text.push(other),
            }
        }
    }

    /// `','`, or the same in double quotes.
    fn separator(&mut self) -> Read<Argument> {
        let start = self.at;
        let inside = self.rest().strip_prefix(['\'', '"']);
        let quote = self.peek();
        let mut characters = inside.unwrap_or_default().chars();
        match (inside, characters.next(), characters.next()) {
            (Some(_), Some(separator), close) if close == quote && Some(separator) != quote && separator != '\\' => {
                self.at = start + 2 + separator.len_utf8();
                Ok(Argument::Separator(separator))
            }
            _ => Err(self.unexpected("one character in quotes: ','")),
        }
    }

    /// `re/…/`, or with another sign instead of the slashes.
    fn regex(&mut self) -> Read<Argument> {
        const WANTED: &str = "a regular expression: re/…/";
        let start = self.at;
        let is_re = self.rest().get(..2).is_some_and(|word| word.eq_ignore_ascii_case("re"));
        let delimiter = self.rest().chars().nth(2).filter(|c| !is_word(*c) && !is_blank(*c) && is_re);
        let Some(delimiter) = delimiter else { return Err(self.unexpected(WANTED)) };
        let inside = self.at + 2 + delimiter.len_utf8();
        let Some(length) = self.text.get(inside..).and_then(|inside| inside.find(delimiter)) else {
            return Err(Fault::new(FaultKind::Quote, start..self.text.len()));
        };
        let pattern = &self.text[inside..inside + length];
        self.at = inside + length + delimiter.len_utf8();
        let at = inside..inside + length;
        if pattern.chars().count() > REGEX_CHARS_MAX {
            return Err(Fault::new(FaultKind::Regex(format!("it has more than {REGEX_CHARS_MAX} characters")), at));
        }
        let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).nest_limit(16).build();
        built.map(|regex| Argument::Pattern(Box::new(regex))).map_err(|why| Fault::new(FaultKind::Regex(why.to_string()), at))
    }

    /// Digits, or an address that begins with one.
    fn number_or_address(&mut self) -> Read<Part> {
        let start = self.at;
        let run = self.rest();
        let end = run.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).unwrap_or(run.len());
        if let Some(address) = run.get(..end).and_then(|run| run.parse::<IpAddr>().ok()) {
            self.at += end;
            return Ok(Part { node: Node::Address(address), kind: Kind::Address, at: start..self.at });
        }
        let negative = run.starts_with('-');
        self.at += usize::from(negative);
        let (word, at) = self.word();
        let lower = word.to_ascii_lowercase();
        let (digits, radix) = lower.strip_prefix("0x").map_or((lower.as_str(), 10), |digits| (digits, 16));
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            self.at = start;
            return Err(if negative { self.unexpected("a condition or a value") } else { self.unexpected("a number") });
        }
        let number = i64::from_str_radix(digits, radix).map_err(|_| Fault::new(FaultKind::Number, at))?;
        let number = if negative { -number } else { number };
        Ok(Part { node: Node::Number(number), kind: Kind::Number, at: start..self.at })
    }
}

/// A chain that says nothing yet.
fn no_value(part: &Part) -> Fault {
    let some: Vec<_> = members::names(part.kind).take(4).collect();
    let fault = Fault::new(FaultKind::NoValue(part.kind.called()), part.at.clone());
    fault.hint(format!("it goes on with one of its members, such as .{}", some.join(", .")))
}
