//! Names of arguments as people and programs read them: `IPAddress` is labelled `IP address`, and its key is `ipAddress`.

/// The key in JSON: words run together, the first in small letters, the others with a capital.
pub(crate) fn lower_camel(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    for (at, part) in parts(name).into_iter().enumerate() {
        let mut characters = part.chars();
        match characters.next() {
            Some(first) if at > 0 => {
                key.extend(first.to_uppercase());
                let acronym = part.chars().count() > 1 && part.chars().all(|c| c.is_uppercase() || c.is_ascii_digit());
                let rest = characters.as_str();
                key.push_str(&if acronym { rest.to_lowercase() } else { rest.to_owned() });
            }
            Some(_) => key.push_str(&part.to_lowercase()),
            None => {}
        }
    }
    key
}

/// What people read before the colon: words apart, the first with a capital; what was all capitals stays so.
pub(crate) fn label(name: &str) -> String {
    let mut label = String::with_capacity(name.len() + 4);
    for (at, part) in parts(name).into_iter().enumerate() {
        let acronym = part.chars().count() > 1 && !part.chars().any(char::is_lowercase);
        let mut characters = part.chars();
        if at > 0 {
            label.push(' ');
        }
        match characters.next() {
            Some(_) if acronym => label.push_str(part),
            Some(first) if at == 0 => {
                label.extend(first.to_uppercase());
                label.push_str(characters.as_str());
            }
            Some(_) => label.push_str(&part.to_lowercase()),
            None => {}
        }
    }
    label
}

/// Words of a name: `IPAddress` is `IP`, `Address`; `up_bytes` is `up`, `bytes`.
fn parts(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for word in name.split(['_', ' ', '-']).filter(|word| !word.is_empty()) {
        let letters: Vec<(usize, char)> = word.char_indices().collect();
        let mut start = 0;
        for (at, window) in letters.windows(2).enumerate() {
            let [(_, before), (here, c)] = *window else { continue };
            let after = letters.get(at + 2).map(|(_, c)| *c);
            let begins = c.is_uppercase() && (!before.is_uppercase() || after.is_some_and(char::is_lowercase));
            if begins && here > start {
                parts.extend(word.get(start..here));
                start = here;
            }
        }
        parts.extend(word.get(start..));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_people_and_programs() {
        for (name, labelled, key) in [
            ("name", "Name", "name"),
            ("IPAddress", "IP address", "ipAddress"),
            ("CACert", "CA cert", "caCert"),
            ("defaultEPAGroup", "Default EPA group", "defaultEpaGroup"),
            ("vserverFqdn", "Vserver fqdn", "vserverFqdn"),
            ("vpn icaConnection", "Vpn ica connection", "vpnIcaConnection"),
            ("up_bytes", "Up bytes", "upBytes"),
            ("tls13", "Tls13", "tls13"),
            ("busyPollUs", "Busy poll us", "busyPollUs"),
            ("SNICert", "SNI cert", "sniCert"),
            ("authorityID", "Authority ID", "authorityId"),
            ("", "", ""),
        ] {
            assert_eq!(label(name), labelled, "{name}");
            assert_eq!(lower_camel(name), key, "{name}");
        }
    }
}
