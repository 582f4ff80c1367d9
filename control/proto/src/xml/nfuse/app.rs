//! A published application, as the XML Service lists it.

use super::request::{Domain, number, owned, read_words, write_types};
use super::words::{ClientType, ServerType};
use crate::xml::BadMessage;
use crate::xml::read::Node;
use crate::xml::write::Writer;

/// Most file types, icons or access list entries of one application.
pub const APP_LIST_MAX: usize = 1024;

/// One published application or desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Internal name: what `#App` in the ICA file and [`Request::Address`](super::request::Request::Address) use.
    pub in_name: String,
    /// Display name; may hold any character.
    pub display_name: String,
    /// What the user may see of it; absent if details were not asked for.
    pub settings: Option<Settings>,
    /// Who may start it; absent if hidden or not asked for.
    pub access: Option<Vec<Access>>,
    /// Changes when the application does.
    pub sequence: u32,
    /// Which servers run it.
    pub server_type: ServerType,
    /// How it is started.
    pub client_types: Vec<ClientType>,
}

/// The settings of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Published but switched off.
    pub is_disabled: bool,
    /// A whole desktop.
    pub is_desktop: bool,
    /// Path of the folder that shows it; empty for the root.
    pub folder: String,
    /// A sentence about it.
    pub description: String,
    /// Width of its window, in pixels.
    pub width: u32,
    /// Height of its window, in pixels.
    pub height: u32,
    /// 1, 2, 4 or 8 for 16, 256, 65,536 or 16.7 million colours.
    pub colors: u32,
    /// Per cent of the screen, instead of width and height.
    pub percent: Option<u32>,
    /// Sound: `basic` or `none`.
    pub sound: String,
    /// Encryption: `basic`, `rc5-128` and others.
    pub encryption: String,
    /// Whether less encryption is refused.
    pub encryption_is_minimum: bool,
    /// Whether portals put it on the desktop.
    pub on_desktop: bool,
    /// Whether portals put it into the start menu.
    pub in_start_menu: bool,
    /// Who publishes it: the farm.
    pub publisher: String,
    /// Whether its hosts speak TLS.
    pub ssl_enabled: bool,
    /// Whether it may be started from outside.
    pub remote_access: bool,
    /// Base64 of the 32 by 32 icon.
    pub icon: Option<String>,
    /// A URL, for published content.
    pub content_address: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_disabled: false,
            is_desktop: false,
            folder: String::new(),
            description: String::new(),
            width: 1024,
            height: 768,
            colors: 8,
            percent: None,
            sound: "basic".to_owned(),
            encryption: "basic".to_owned(),
            encryption_is_minimum: false,
            on_desktop: false,
            in_start_menu: false,
            publisher: String::new(),
            ssl_enabled: false,
            remote_access: true,
            icon: None,
            content_address: None,
        }
    }
}

/// An entry of an access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// One user.
    User {
        /// Login name.
        name: String,
        /// Where it is known.
        domain: Option<Domain>,
    },
    /// A group of users.
    Group {
        /// The group's name.
        name: String,
        /// Where it is known.
        domain: Option<Domain>,
    },
    /// Everyone, without a login.
    Anonymous,
}

impl App {
    /// The order and form of these elements is what scanners with patterns insist on.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.open("AppData").leaf("InName", &self.in_name).leaf("FName", &self.display_name);
        writer.open("Details");
        if let Some(settings) = &self.settings {
            settings.write(writer);
        }
        if let Some(access) = &self.access {
            writer.open("AccessList");
            access.iter().for_each(|entry| entry.write(writer));
            writer.close("AccessList");
        }
        writer.close("Details").leaf("SeqNo", &self.sequence.to_string());
        write_types(writer, std::slice::from_ref(&self.server_type), &self.client_types);
        writer.close("AppData");
    }

    pub(super) fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let details = node.optional("Details")?;
        let child = |name| details.map_or(Ok(None), |details: Node<'_>| details.optional(name));
        let settings = child("Settings")?.map(Settings::from_node).transpose()?;
        let access = child("AccessList")?.map(read_access).transpose()?;
        Ok(Self {
            in_name: node.required_text("InName")?.to_owned(),
            display_name: node.required_text("FName")?.to_owned(),
            settings,
            access,
            sequence: number(node, "SeqNo")?.unwrap_or_default(),
            server_type: node.optional_text("ServerType")?.map_or(ServerType::Win32, ServerType::from),
            client_types: read_words(node, "ClientType")?,
        })
    }
}

impl Settings {
    fn write(&self, writer: &mut Writer) {
        let attributes = [("appisdisabled", word(self.is_disabled)), ("appisdesktop", word(self.is_desktop))];
        writer.open_with("Settings", &attributes);
        writer.leaf("Folder", &self.folder).leaf("Description", &self.description);
        writer.leaf("WinWidth", &self.width.to_string()).leaf("WinHeight", &self.height.to_string());
        writer.leaf("WinColor", &self.colors.to_string());
        writer.leaf("WinType", if self.percent.is_some() { "percent" } else { "pixels" });
        writer.leaf("WinScale", &self.percent.unwrap_or_default().to_string());
        writer.leaf_with("SoundType", &[("minimum", "false")], &self.sound);
        writer.leaf_with("VideoType", &[("minimum", "false")], "none");
        writer.leaf_with("Encryption", &[("minimum", word(self.encryption_is_minimum))], &self.encryption);
        writer.single("AppOnDesktop", &[("value", word(self.on_desktop))]);
        writer.single("AppInStartmenu", &[("value", word(self.in_start_menu))]);
        writer.leaf("PublisherName", &self.publisher);
        writer.leaf("SSLEnabled", word(self.ssl_enabled)).leaf("RemoteAccessEnabled", word(self.remote_access));
        writer.leaf_if("Icon", self.icon.as_deref());
        if let Some(address) = &self.content_address {
            writer.open("ContentSettings").leaf("ContentAddress", address).close("ContentSettings");
        }
        writer.close("Settings");
    }

    /// Services leave out what they have no value for, or write something odd; then the default counts.
    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let default = Self::default();
        let is_percent = node.optional_text("WinType")? == Some("percent");
        let percent = size(node, "WinScale", 100)?;
        let content = node.optional("ContentSettings")?;
        let icon = node.optional_text("Icon")?.filter(|icon| !icon.is_empty());
        Ok(Self {
            is_disabled: node.attribute("appisdisabled").is_some_and(is_true),
            is_desktop: node.attribute("appisdesktop").is_some_and(is_true),
            folder: text(node, "Folder", &default.folder)?,
            description: text(node, "Description", &default.description)?,
            width: size(node, "WinWidth", default.width)?,
            height: size(node, "WinHeight", default.height)?,
            colors: size(node, "WinColor", default.colors)?,
            percent: is_percent.then_some(percent),
            sound: text(node, "SoundType", &default.sound)?,
            encryption: text(node, "Encryption", &default.encryption)?,
            encryption_is_minimum: flag(node, "Encryption", "minimum")?,
            on_desktop: flag(node, "AppOnDesktop", "value")?,
            in_start_menu: flag(node, "AppInStartmenu", "value")?,
            publisher: text(node, "PublisherName", &default.publisher)?,
            ssl_enabled: node.optional_text("SSLEnabled")?.is_some_and(is_true),
            remote_access: node.optional_text("RemoteAccessEnabled")?.is_none_or(is_true),
            icon: owned(icon),
            content_address: content.map_or(Ok(None), |content| content.optional_text("ContentAddress"))?.map(str::to_owned),
        })
    }
}

impl Access {
    fn write(&self, writer: &mut Writer) {
        let (element, name_element, name, domain) = match self {
            Self::User { name, domain } => ("User", "UserName", name, domain),
            Self::Group { name, domain } => ("Group", "GroupName", name, domain),
            Self::Anonymous => {
                writer.single("AnonymousUser", &[]);
                return;
            }
        };
        writer.open(element).leaf(name_element, name);
        if let Some(domain) = domain {
            domain.write(writer);
        }
        writer.close(element);
    }
}

fn read_access(list: Node<'_>) -> Result<Vec<Access>, BadMessage> {
    let mut entries = Vec::new();
    for node in list.children() {
        if entries.len() >= APP_LIST_MAX {
            return Err(BadMessage::TooMuch("AccessList"));
        }
        let domain = || Ok::<_, BadMessage>(node.optional("Domain")?.map(Domain::from_node));
        match node.name() {
            "User" => {
                entries.push(Access::User { name: node.required_text("UserName")?.to_owned(), domain: domain()? });
            }
            "Group" => {
                entries.push(Access::Group { name: node.required_text("GroupName")?.to_owned(), domain: domain()? });
            }
            "AnonymousUser" => entries.push(Access::Anonymous),
            _ => {}
        }
    }
    Ok(entries)
}

fn text(node: Node<'_>, name: &'static str, default: &str) -> Result<String, BadMessage> {
    Ok(node.optional_text(name)?.unwrap_or(default).to_owned())
}

fn size(node: Node<'_>, name: &'static str, default: u32) -> Result<u32, BadMessage> {
    Ok(node.optional_text(name)?.and_then(|text| text.parse().ok()).unwrap_or(default))
}

fn flag(node: Node<'_>, name: &'static str, attribute: &str) -> Result<bool, BadMessage> {
    Ok(node.optional(name)?.and_then(|node| node.attribute(attribute)).is_some_and(is_true))
}

fn word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}
