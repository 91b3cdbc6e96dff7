//! Policy texts, and what may be wrong with them.

use std::fmt;

/// One policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// How problems name it, for instance its path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Something wrong with a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The source's name.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl Source {
    /// A problem at a byte offset of this source.
    pub(crate) fn problem(&self, offset: usize, message: impl Into<String>) -> Problem {
        let (line, column) = place(&self.text, offset);
        Problem { file: self.name.clone(), line, column, message: message.into() }
    }
}

/// Line and column, from 1, of a byte offset; an offset past the end is the end.
fn place(text: &str, offset: usize) -> (u32, u32) {
    let (mut line, mut column) = (1_u32, 1_u32);
    for (at, letter) in text.char_indices() {
        if at >= offset {
            break;
        }
        if letter == '\n' {
            line = line.saturating_add(1);
            column = 1;
        } else {
            column = column.saturating_add(1);
        }
    }
    (line, column)
}
