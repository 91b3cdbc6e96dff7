//! What a gateway finds that another one left behind: complete bindings go on, all else ends.

use super::super::cgroup;
use super::super::pins::{self, Life};
use super::super::{InterceptError, bpffs, slice};
use super::Interceptor;

impl Interceptor {
    /// Takes over complete bindings of an earlier gateway. What is incomplete is ended: a leaf
    /// without all its programs must have nobody in it.
    pub(super) fn adopt(&mut self) -> Result<(), InterceptError> {
        for (id, name) in self.pins.life().bindings()? {
            let bound = self.bound(id, &name);
            let pins = self.pins.life().binding(id, &name);
            let attached = cgroup::id(&bound.path).and_then(|cgroup| pins::links(&pins, cgroup));
            if let Err(error) = attached {
                tracing::warn!(binding = id, leaf = name, %error, "ending what is half attached");
                slice::end_leaf(&bound.path, id)?;
                bpffs::unpin(&pins)?;
                self.maps.forget(id);
                continue;
            }
            self.bindings.insert(id, bound.clone());
            self.adopted.push(bound);
        }
        Ok(())
    }

    /// Moves bindings of other versions and layouts to this one's: its programs are attached beside
    /// theirs, then theirs go. There is no moment without any.
    pub(super) fn adopt_others(&mut self) -> Result<(), InterceptError> {
        for life in self.pins.others()? {
            for (id, name) in life.bindings()? {
                self.adopt_other(&life, id, &name)?;
            }
            tracing::warn!(from = life.name(), to = pins::layout(), "moved to another map layout");
            life.remove()?;
        }
        Ok(())
    }

    fn adopt_other(&mut self, life: &Life, id: u64, name: &str) -> Result<(), InterceptError> {
        let bound = self.bound(id, name);
        let attached =
            cgroup::id(&bound.path).and_then(|cgroup| pins::links(&life.binding(id, name), cgroup));
        if let Err(error) = attached {
            tracing::warn!(binding = id, leaf = name, %error, "ending what is half attached");
            return slice::end_leaf(&bound.path, id);
        }
        if !self.bindings.contains_key(&id) {
            self.attach_new(&bound)?;
            self.bindings.insert(id, bound.clone());
            self.adopted.push(bound);
        }
        Ok(())
    }

    /// Ends leaves that belong to no binding, and closes them to the slice's programs.
    pub(super) fn clear(&mut self) -> Result<(), InterceptError> {
        let bindings = &self.bindings;
        self.maps.close_leaves(|id| bindings.contains_key(&id));
        for leaf in cgroup::children(&self.slice.path)? {
            if !self.bindings.values().any(|bound| bound.path == leaf) {
                slice::end_leaf(&leaf, 0)?;
            }
        }
        Ok(())
    }
}
