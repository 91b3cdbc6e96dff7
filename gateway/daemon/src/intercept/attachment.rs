//! Proof of attachment: asks the kernel, not our own memory, which programs run for a bound cgroup.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use super::{InterceptError, programs, syscall};

/// Programs of the hooks at which a destination can be rewritten.
const REWRITING: [&str; 4] = ["weir_connect4", "weir_connect6", "weir_sendmsg4", "weir_sendmsg6"];

/// One program of a binding as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The link's id.
    pub link: u32,
    /// The program's id.
    pub program: u32,
    /// The program's tag: a hash of its instructions.
    pub tag: String,
    /// All programs that the kernel runs at this hook, in order, those of ancestors too.
    pub effective: Vec<u32>,
}

impl std::fmt::Display for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { link, program, tag, effective } = self;
        write!(formatter, "link {link} program {program} tag {tag} of {}", effective.len())
    }
}

/// The programs of a binding by name.
pub type Attachment = BTreeMap<String, Running>;

/// What the kernel ran for each binding when it was bound, adopted or renewed.
#[derive(Debug, Default)]
pub(super) struct Witnessed(BTreeMap<u64, Attachment>);

impl Witnessed {
    /// Remembers what the kernel runs for a binding now.
    pub(super) fn see(&mut self, id: u64, leaf: &Path, pins: &Path) -> Result<(), InterceptError> {
        self.0.insert(id, observe(leaf, pins)?);
        Ok(())
    }

    /// Remembers it no more.
    pub(super) fn forget(&mut self, id: u64) {
        self.0.remove(&id);
    }

    /// Asks the kernel whether it still runs the same.
    pub(super) fn prove(
        &self,
        id: u64,
        leaf: &Path,
        pins: &Path,
    ) -> Result<Attachment, InterceptError> {
        let uncovered = |what| InterceptError::Uncovered { id, what };
        // A binding of the gateway before, whose programs are still to be replaced.
        let unseen = || InterceptError::Kernel {
            what: "asking what is attached",
            source: std::io::Error::other("its programs are still another gateway's"),
        };
        let before = self.0.get(&id).ok_or_else(unseen)?;
        let now = observe(leaf, pins).map_err(|error| match error {
            // The gateway is short of something; that says nothing about what is attached.
            InterceptError::Io { source, .. } if is_shortage(&source) => {
                InterceptError::Kernel { what: "asking what is attached", source }
            }
            error => uncovered(super::chain(&error)),
        })?;
        match difference(before, &now) {
            None => Ok(now),
            Some(what) => Err(uncovered(what)),
        }
    }
}

fn is_shortage(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error();
    matches!(errno, Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN))
}

/// Asks the kernel for the programs of a binding, whose links are pinned in `pins`.
fn observe(leaf: &Path, pins: &Path) -> Result<Attachment, InterceptError> {
    let id = super::cgroup::id(leaf)?;
    let cgroup = File::open(leaf).map_err(|error| InterceptError::io("opening", leaf, error))?;
    let mut found = Attachment::new();
    for name in programs::BINDING {
        let pin = pins.join(name);
        let failed = |source| InterceptError::io("asking for the link", &pin, source);
        let link = syscall::link_info(&pin).map_err(failed)?;
        if link.cgroup != id {
            return Err(failed(std::io::Error::other("it is not attached to its cgroup")));
        }
        let effective = syscall::effective(cgroup.as_fd(), link.attach_type)
            .map_err(|source| InterceptError::io("asking for the programs of", leaf, source))?;
        if !effective.contains(&link.program) {
            return Err(failed(std::io::Error::other("the kernel does not run it")));
        }
        let tag = syscall::program_tag(link.program).map_err(failed)?;
        let attached = Running { link: link.id, program: link.program, tag, effective };
        found.insert(name.to_owned(), attached);
    }
    Ok(found)
}

/// What differs between two observations; `None` where nothing does.
///
/// Programs of others count where they could send a connection or a datagram elsewhere. At the other
/// hooks another program can only refuse more, or watch.
fn difference(before: &Attachment, now: &Attachment) -> Option<String> {
    for (name, was) in before {
        let Some(is) = now.get(name) else { return Some(format!("{name} is gone")) };
        if (is.link, is.program, &is.tag) != (was.link, was.program, &was.tag) {
            return Some(format!("{name} was {was}, is {is}"));
        }
        if REWRITING.contains(&name.as_str()) && is.effective != was.effective {
            let (was, is) = (&was.effective, &is.effective);
            return Some(format!("beside {name} the kernel ran {was:?} and runs {is:?}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn one(name: &str, link: u32, effective: &[u32]) -> Attachment {
        let attached =
            Running { link, program: 5, tag: "t".to_owned(), effective: effective.to_vec() };
        Attachment::from([(name.to_owned(), attached)])
    }

    #[test]
    fn a_program_that_could_redirect_is_a_difference_and_one_that_refuses_is_not() {
        let check = |before: &Attachment, now: &Attachment, differs: bool| {
            assert_eq!(difference(before, now).is_some(), differs, "{before:?} {now:?}");
        };
        let connect = one("weir_connect4", 1, &[5]);
        check(&connect, &connect, false);
        check(&connect, &one("weir_connect4", 2, &[5]), true);
        check(&connect, &one("weir_connect4", 1, &[5, 6]), true);
        check(&connect, &Attachment::new(), true);
        check(&one("weir_egress", 1, &[5]), &one("weir_egress", 1, &[4, 5]), false);
        check(&one("weir_egress", 1, &[5]), &one("weir_egress", 2, &[5]), true);
    }
}
