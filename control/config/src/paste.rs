//! Expressions pasted from pages whose inner quotes lost their backslashes: understood where they can mean one thing only, with a
//! warning that shows the proper form. Never in a secret, where nobody may guess.

use crate::catalog::Form;
use crate::catalog::Note;
use crate::catalog::resolve::{Place, find};
use crate::code::Code;
use crate::mask;
use crate::problem::Masked;
use crate::text::lex::{Lexed, lex, lex_pasted};
use crate::text::word::word;

use std::sync::Arc;

/// The words of a line.
pub(crate) fn words(line: &str) -> Lexed {
    let lexed = lex_pasted(line);
    if lexed.pasted.is_empty() {
        return lexed;
    }
    let found = find(&lexed.tokens, Place::Console, false);
    let form = found.as_ref().ok().and_then(|found| found.target.form());
    let secrets = mask::secrets(line, &lexed, form, mask::For::Showing);
    let pasted = |at: &usize| lexed.tokens.get(*at).is_some_and(|token| secrets.contains(&token.span));
    if lexed.pasted.iter().any(pasted) { lex(line) } else { lexed }
}

/// The warnings that belong to a line.
pub(crate) fn notes(lexed: &Lexed) -> Vec<Note> {
    let note = |at: &usize| {
        let token = lexed.tokens.get(*at)?;
        let cause = "the quotes inside have no backslashes; it is read as one expression";
        Some(Note::new(Code::InvalidSyntax, token.span, "", cause).cure(format!("write {}", word(&token.value))))
    };
    lexed.pasted.iter().filter_map(note).collect()
}

/// The line as it is kept for printing back: in its proper form, without a secret that stands in it openly.
pub(crate) fn kept(line: &str, lexed: &Lexed, form: Option<&'static Form>) -> Arc<str> {
    if lexed.pasted.is_empty() {
        return Masked::of(line, &mask::secrets(line, lexed, form, mask::For::Keeping)).shown;
    }
    let (mut proper, mut end) = (String::with_capacity(line.len() + 16), 0);
    for token in lexed.pasted.iter().filter_map(|at| lexed.tokens.get(*at)) {
        proper.push_str(line.get(end..token.span.start).unwrap_or_default());
        proper.push_str(&word(&token.value));
        end = token.span.end;
    }
    proper.push_str(line.get(end..).unwrap_or_default());
    let secrets = mask::secrets(&proper, &lex(&proper), form, mask::For::Keeping);
    Masked::of(&proper, &secrets).shown
}
