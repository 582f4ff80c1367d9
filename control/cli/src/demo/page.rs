//! Finding forms and names in the portal's pages. For pages that we wrote ourselves, and no others.

/// The value of the first `<input name="…" value="…">` called `name`.
#[must_use]
pub fn input_value(page: &str, name: &str) -> Option<String> {
    inputs(page).find(|(held, _)| held == name).map(|(_, value)| value)
}

/// The values of every input called `name`.
#[must_use]
pub fn input_values(page: &str, name: &str) -> Vec<String> {
    inputs(page).filter(|(held, _)| held == name).map(|(_, value)| value).collect()
}

/// The text of every `<tag …>text</tag>` without elements in it.
#[must_use]
pub fn texts(page: &str, tag: &str) -> Vec<String> {
    let (start, end) = (format!("<{tag}"), format!("</{tag}>"));
    let pieces = page.split(&start).skip(1);
    let inner = pieces.filter_map(|piece| piece.split_once('>')?.1.split_once(&end).map(|(text, _)| text));
    inner.filter(|text| !text.contains('<')).map(unescape).collect()
}

fn inputs(page: &str) -> impl Iterator<Item = (String, String)> {
    page.split("<input ").skip(1).filter_map(|piece| {
        let tag = piece.split_once('>')?.0;
        Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = format!("{name}=\"");
    let at = tag.match_indices(&start).find(|(at, _)| *at == 0 || tag[..*at].ends_with(' '))?.0;
    tag[at + start.len()..].split_once('"').map(|(value, _)| unescape(value))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let known = after.split_once(';').and_then(|(name, rest)| entity(name).map(|c| (c, rest)));
        if let Some((c, after)) = known {
            plain.push(c);
            rest = after;
        } else {
            plain.push('&');
            rest = after;
        }
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_names_are_found() {
        let page = r#"<h2 id="r1">R&amp;D &#60;x&#x3E;</h2><h2>B</h2><h2><b>no</b></h2>
            <form><input type="hidden" name="csrf" value="a&quot;b"><input name="resource" value="N1"></form>
            <form><input type="hidden" name="csrf" value="c"><input type="hidden" name="resource" value="N2"></form>"#;
        assert_eq!(input_value(page, "csrf").as_deref(), Some("a\"b"));
        assert_eq!(input_values(page, "resource"), ["N1", "N2"]);
        assert_eq!(input_value(page, "value"), None);
        assert_eq!(texts(page, "h2"), ["R&D <x>", "B"]);
    }
}
