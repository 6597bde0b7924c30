//! How a sealed record is identified: by its kind, and by a hash of what it depends on.

/// What identifies a record: a hash of everything that it depends on.
pub type Name = [u8; 32];

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// An auth session.
    AuthSession,
    /// A role session.
    RoleSession,
    /// What the warm path needs to find a role session without reading the config.
    Warm,
    /// The key of a sealed log.
    LogKey,
    /// A console sign-in: what its next keys are asked for with.
    Login,
}

impl RecordKind {
    const ALL: [Self; 5] =
        [Self::AuthSession, Self::RoleSession, Self::Warm, Self::LogKey, Self::Login];

    /// Its number in a sealed record.
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::AuthSession => 1,
            Self::RoleSession => 2,
            Self::Warm => 3,
            Self::LogKey => 4,
            Self::Login => 5,
        }
    }

    /// The kind with this number.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::AuthSession => "auth",
            Self::RoleSession => "role",
            Self::Warm => "warm",
            Self::LogKey => "log",
            Self::Login => "login",
        }
    }

    /// Its file in the vault's directory.
    pub(super) fn file_name(self, name: &Name) -> String {
        format!("{}-{}", self.prefix(), hex::encode(name))
    }

    /// The record that a file of this name holds; `None` for other files.
    pub(super) fn parse(file_name: &str) -> Option<(Self, Name)> {
        let (prefix, name) = file_name.split_once('-')?;
        let kind = Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        let mut bytes = Name::default();
        hex::decode_to_slice(name, &mut bytes).ok()?;
        Some((kind, bytes))
    }
}
