//! The login schemas that come with the gateway: our own text, under the names that configurations name.
//!
//! `-authenticationSchema LoginSchema/SingleAuth.xml`, `SingleAuth.xml` and `/nsconfig/loginschema/LoginSchema/SingleAuth.xml` are the
//! same file. A file of that name on disk goes first; that is for whoever reads files.

use super::schema::Schema;

/// The directory to which names of schemas are relative.
pub const DIRECTORY: &str = "/nsconfig/loginschema/";
/// The directory below [`DIRECTORY`] that holds what is shipped.
pub const SHIPPED_DIRECTORY: &str = "LoginSchema/";

/// User name and password.
pub const SINGLE: &str = "SingleAuth.xml";
/// User name and two passwords.
pub const DUAL: &str = "DualAuth.xml";
/// A code from a device or a challenge.
pub const PASSCODE: &str = "OnlyPasscode.xml";
/// Old password, and the new one twice.
pub const CHANGE_PASSWORD: &str = "ChangePassword.xml";

const FILES: [(&str, &str); 10] = [
    (SINGLE, include_str!("../../schemas/SingleAuth.xml")),
    (DUAL, include_str!("../../schemas/DualAuth.xml")),
    ("OnlyUsername.xml", include_str!("../../schemas/OnlyUsername.xml")),
    ("OnlyPassword.xml", include_str!("../../schemas/OnlyPassword.xml")),
    ("PrefillUserFromExpr.xml", include_str!("../../schemas/PrefillUserFromExpr.xml")),
    ("SingleAuthManageOTP.xml", include_str!("../../schemas/SingleAuthManageOTP.xml")),
    ("DualAuthOTP.xml", include_str!("../../schemas/DualAuthOTP.xml")),
    // Without the push: who has it configured gets the code.
    ("DualAuthPushOrOTP.xml", include_str!("../../schemas/DualAuthOTP.xml")),
    (PASSCODE, include_str!("../../schemas/OnlyPasscode.xml")),
    (CHANGE_PASSWORD, include_str!("../../schemas/ChangePassword.xml")),
];

/// The text of the file that `path` names, in one of the three ways.
#[must_use]
pub fn file(path: &str) -> Option<&'static str> {
    let name = path.strip_prefix(DIRECTORY).unwrap_or(path);
    let name = name.strip_prefix(SHIPPED_DIRECTORY).unwrap_or(name);
    FILES.iter().find(|(held, _)| *held == name).map(|(_, text)| *text)
}

/// The schema that `path` names.
#[must_use]
pub fn schema(path: &str) -> Option<Schema> {
    // All of them are read by a test.
    file(path).and_then(|text| Schema::parse(text.as_bytes()).ok())
}

/// The names of all files.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::super::Control;
    use super::super::announced::Announced;
    use super::super::language::Language;
    use super::super::text;
    use super::*;

    #[test]
    fn every_file_is_found_by_each_of_its_names() {
        assert_eq!(names().count(), FILES.len());
        for name in names() {
            let read = Schema::parse(file(name).unwrap().as_bytes()).unwrap();
            for path in [name.to_owned(), format!("LoginSchema/{name}"), format!("/nsconfig/loginschema/LoginSchema/{name}")] {
                assert_eq!(schema(&path).as_ref(), Some(&read), "{path}");
            }
        }
        for path in
            ["", "noschema", "SingleAuth", "singleauth.xml", "../SingleAuth.xml", "/LoginSchema/SingleAuth.xml", "LoginSchema/"]
        {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn each_has_its_fields() {
        let fields =
            |name: &str| schema(name).unwrap().fields().map(|(id, kind)| format!("{id}:{kind}")).collect::<Vec<_>>().join(" ");
        for (name, wanted) in [
            ("SingleAuth.xml", "login:username passwd:password nsg-x1-logon-button:none"),
            ("DualAuth.xml", "login:username passwd:password passwd1:password nsg-x1-logon-button:none"),
            ("OnlyUsername.xml", "login:username nsg-x1-logon-button:none"),
            ("OnlyPassword.xml", "passwd:password nsg-x1-logon-button:none"),
            ("PrefillUserFromExpr.xml", "login:username passwd:password nsg-x1-logon-button:none"),
            ("SingleAuthManageOTP.xml", "login:username passwd:password nsg-x1-logon-button:none"),
            ("DualAuthOTP.xml", "login:username passwd:password passwd1:passcode nsg-x1-logon-button:none"),
            ("DualAuthPushOrOTP.xml", "login:username passwd:password passwd1:passcode nsg-x1-logon-button:none"),
            ("OnlyPasscode.xml", "passwd:passcode nsg-x1-logon-button:none"),
            ("ChangePassword.xml", "oldpwd:password newpwd:newpassword confirmedpwd:newpassword ns-dialogue-submit:none"),
        ] {
            assert_eq!(fields(name), wanted, "{name}");
        }
        let wanting: Vec<_> = names().filter(|name| schema(name).unwrap().wants_user()).collect();
        assert_eq!(wanting, ["PrefillUserFromExpr.xml", "ChangePassword.xml"]);
    }

    #[test]
    fn every_client_can_show_each_and_sees_no_key() {
        for (name, language) in names().flat_map(|name| Language::ALL.map(|language| (name, language))) {
            let form = Announced::default().fit(schema(name).unwrap().fill("ann"), language).unwrap();
            assert_eq!(form.all.len(), schema(name).unwrap().form().all.len(), "{name}: every line is there");
            let buttons = form.all.iter().filter_map(|line| match &line.input.control {
                Some(Control::Button(text)) => Some(text.as_str()),
                Some(
                    Control::Text(_)
                    | Control::CheckBox(_)
                    | Control::RadioButton(_)
                    | Control::ComboBox(_)
                    | Control::MultiComboBox(_),
                )
                | None => None,
            });
            let labels = form.all.iter().filter_map(|line| line.label.text.as_deref());
            let hints = form.all.iter().filter_map(|line| line.input.assistive.as_deref());
            let shown: Vec<_> = buttons.chain(labels).chain(hints).chain(form.cancel_text.as_deref()).collect();
            assert!(shown.len() > 2, "{name}");
            for text in shown {
                let ours = text::keys().any(|key| text::text(key, language) == Some(text));
                assert!(ours, "{name}, {language:?}: {text:?} is not from the table");
            }
        }
    }
}
