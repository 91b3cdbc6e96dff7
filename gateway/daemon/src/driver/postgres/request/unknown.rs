//! Uses of a name that was not made by the protocol.

use weir_wire::postgres::frontend::Kind;

/// What uses the name.
#[derive(Clone, Copy)]
pub(super) enum Unknown {
    /// A Bind, of a statement.
    Statement,
    /// An Execute, of a portal.
    Portal,
}

impl Unknown {
    /// The message.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Statement => "Bind",
            Self::Portal => "Execute",
        }
    }

    /// What the name is one of.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Statement => "prepared statement",
            Self::Portal => "portal",
        }
    }

    /// How it is described.
    pub(super) fn described(self) -> Kind {
        match self {
            Self::Statement => Kind::Statement,
            Self::Portal => Kind::Portal,
        }
    }

    /// The server's own SQLSTATE where there is none of the name.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Statement => "26000",
            Self::Portal => "34000",
        }
    }
}
