//! Loads the LSM programs, attaches them, and pins their links over those of an earlier gateway.

use std::fs;
use std::path::Path;

use aya::maps::{Array, HashMap, Map, MapData, RingBuf};
use aya::programs::Lsm;
use aya::programs::links::FdLink;
use aya::{Btf, Ebpf, EbpfLoader, include_bytes_aligned};
use weir_abi::lsm::{HOOKS, Hook, PeerName, Scope};

use crate::intercept::InterceptError;

/// Built by `cargo xtask ebpf`, like the other object.
static OBJECT: &[u8] = include_bytes_aligned!("../weir-lsm.bpf.o");

/// A pin that is not in its place yet.
const NEXT: &str = "_next";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The maps of the attached programs. They are not pinned: a gateway that comes back attaches
/// programs of its own before it takes the old ones away.
pub(super) struct Maps {
    pub(super) allowed: HashMap<MapData, PeerName, u32>,
    pub(super) refused: Array<MapData, u64>,
    pub(super) refusals: Option<RingBuf<MapData>>,
    /// The programs are loaded with its descriptor, so it stays open for that long.
    _scope: Array<MapData, Scope>,
}

/// Loads the object and says what the programs must know; nothing is attached yet.
pub(super) fn load(scope: &Scope) -> Result<(Ebpf, Maps), String> {
    let failed = |error: Failure| format!("loading the LSM object: {}", chain(&*error));
    // Nothing in it is relocated to the kernel's types, which take long to read.
    let loaded = EbpfLoader::new().btf(None).load(OBJECT);
    let mut ebpf = loaded.map_err(|error| failed(error.into()))?;
    let maps = take(&mut ebpf, scope).map_err(failed)?;
    Ok((ebpf, maps))
}

fn take(ebpf: &mut Ebpf, scope: &Scope) -> Result<Maps, Failure> {
    let mut map = |name: &str| ebpf.take_map(name).ok_or_else(|| format!("no map {name}"));
    let mut place: Array<MapData, Scope> = map("SCOPE")?.try_into()?;
    place.set(0, scope, 0)?;
    let refusals: Map = map("REFUSALS")?;
    Ok(Maps {
        allowed: map("ALLOWED")?.try_into()?,
        refused: map("REFUSED")?.try_into()?,
        refusals: Some(refusals.try_into()?),
        _scope: place,
    })
}

/// Attaches all programs that the kernel takes; those that it does not take are told.
pub(super) fn attach(ebpf: &mut Ebpf) -> Vec<(Hook, Result<FdLink, String>)> {
    let types = Btf::from_sys_fs().map_err(|error| chain(&error));
    let mut one = |hook: Hook| {
        let types = types.as_ref().map_err(Clone::clone)?;
        link(ebpf, hook, types).map_err(|error| chain(&*error))
    };
    HOOKS.into_iter().map(|hook| (hook, one(hook))).collect()
}

/// Loads one program, to see whether the kernel takes it.
pub(super) fn verify(ebpf: &mut Ebpf, hook: Hook) -> Result<(), String> {
    let types = Btf::from_sys_fs().map_err(|error| chain(&error))?;
    program(ebpf, hook, &types).map(drop).map_err(|error| chain(&*error))
}

fn program<'a>(ebpf: &'a mut Ebpf, hook: Hook, types: &Btf) -> Result<&'a mut Lsm, Failure> {
    let name = format!("weir_{}", hook.name());
    let program = ebpf.program_mut(&name).ok_or("no such program")?;
    let program: &mut Lsm = program.try_into()?;
    program.load(hook.name(), types)?;
    Ok(program)
}

fn link(ebpf: &mut Ebpf, hook: Hook, types: &Btf) -> Result<FdLink, Failure> {
    let program = program(ebpf, hook, types)?;
    let id = program.attach()?;
    Ok(program.take_link(id)?.into())
}

/// Pins a link over an earlier gateway's, whose program ends with it.
pub(super) fn place(hook: Hook, link: FdLink, pins: &Path) -> Result<(), InterceptError> {
    let next = pins.join(format!("{}{NEXT}", hook.name()));
    // What a gateway left that was killed between the two steps.
    let _ = fs::remove_file(&next);
    link.pin(&next)
        .map_err(|error| InterceptError::ebpf(format!("pinning {}", hook.name()), error))?;
    let pin = pins.join(hook.name());
    fs::rename(&next, &pin).map_err(|error| InterceptError::io("renaming a pin to", &pin, error))
}

/// An error with its causes on one line. Of the verifier's log it keeps the line that says what is
/// wrong, which is the last one but the figures.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = brief(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = brief(&error.to_string());
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn brief(text: &str) -> String {
    let Some((head, log)) = text.split_once(". Verifier output: ") else {
        return text.replace('\n', " ");
    };
    let mut said = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let figures = ["processed ", "verification time ", "stack depth "];
    let last = said.rfind(|line| !figures.iter().any(|figure| line.starts_with(figure)));
    last.map_or_else(|| head.to_owned(), |line| format!("{head} ({line})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_s_log_is_cut_to_its_verdict() {
        let text = "the syscall returned EACCES. Verifier output: 0: R1=ctx\n\nR2 is negative\n\
                    verification time 9 usec\nstack depth 8\nprocessed 9 insns\n";
        assert_eq!(brief(text), "the syscall returned EACCES (R2 is negative)");
        assert_eq!(brief("two\nlines"), "two lines");
    }
}
