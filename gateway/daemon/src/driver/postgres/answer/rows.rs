//! Rows and COPY data, a run at a time: what one of them is the answer to, those behind it are too.

use std::rc::Rc;

use weir_model::limits;
use weir_wire::postgres::backend::{self, Backend};
use weir_wire::postgres::{DataRow, Side as From, build, frame};

use super::{Answers, End};
use crate::driver::postgres::lane::{Exchange, Lot};
use crate::driver::postgres::replication;
use crate::driver::postgres::shape::{self, Shape};

impl Answers<'_> {
    /// Handles a row and the whole ones behind it; returns how many bytes those are.
    pub(super) fn rows(
        &mut self,
        exchange: &Rc<Exchange>,
        portal: Option<&Rc<Lot>>,
        first: &[u8],
        behind: &[u8],
    ) -> Result<usize, End> {
        let known = exchange.shape.borrow().clone();
        let shape = match known {
            Some(shape) => shape,
            None => portal_shape(exchange, portal)?,
        };
        self.run(exchange, first, behind, |answers, message| match backend::parse(message)? {
            Backend::DataRow(row) => answers.row(&shape, exchange, &row, message),
            _ => Ok(()),
        })
    }

    /// Handles a piece of COPY data and the whole ones behind it; returns how many bytes those are.
    pub(super) fn copied(
        &mut self,
        exchange: &Rc<Exchange>,
        first: &[u8],
        behind: &[u8],
    ) -> Result<usize, End> {
        self.run(exchange, first, behind, |answers, message| match backend::parse(message)? {
            Backend::CopyData(data) => answers.copy_out(exchange, data, message),
            _ => Ok(()),
        })
    }

    /// Handles a message and the whole ones of its kind behind it, up to a part's size. None of them
    /// changes what the conversation expects, so it is not asked again.
    fn run(
        &mut self,
        exchange: &Rc<Exchange>,
        first: &[u8],
        behind: &[u8],
        mut handle: impl FnMut(&mut Self, &[u8]) -> Result<(), End>,
    ) -> Result<usize, End> {
        let start = self.out.bytes.len();
        let mut handled = handle(self, first);
        let mut at = 0;
        while handled.is_ok()
            && let Some(message) = alike(first, &behind[at..])
            && self.out.bytes.len() + message.len() <= limits::ANSWER_PART_BYTES
        {
            handled = handle(self, message);
            at += message.len();
        }
        self.cell.clear();
        self.cell.shrink_to(limits::READ_BYTES);
        // What came before a fault is still an answer.
        if self.out.bytes.len() > start {
            self.part(exchange, start);
        }
        handled.map(|()| at)
    }

    fn row(
        &mut self,
        shape: &Shape,
        exchange: &Exchange,
        row: &DataRow<'_>,
        message: &[u8],
    ) -> Result<(), End> {
        if row.len() != shape.columns.len() {
            return Err(End::Mask("a row does not fit its description".to_owned()));
        }
        let masker = &self.lane.services.masker;
        let untouched = shape.is_clear || (!shape.applies && masker.row_is_clean(message));
        if untouched {
            self.out.bytes.extend_from_slice(message);
        } else {
            let mut counts = exchange.masked.borrow_mut();
            let given = &self.lane.session.given;
            let (cell, out) = (&mut self.cell, &mut self.out.bytes);
            shape.mask_row(masker, given, row, &mut counts, cell, out)?;
        }
        exchange.rows.set(exchange.rows.get() + 1);
        Ok(())
    }

    /// COPY carries no columns, so only what values look like is left to go by.
    fn copy_out(&mut self, exchange: &Exchange, data: &[u8], message: &[u8]) -> Result<(), End> {
        // Nothing is masked from the caller, or it would not have begun.
        if replication::streams(&exchange.judged) {
            if !self.lane.may_stream(&exchange.judged) {
                return Err(End::Mask("replication is not permitted any more".to_owned()));
            }
            self.out.bytes.extend_from_slice(message);
            return Ok(());
        }
        match shape::clean_copy(self.lane, data).map_err(End::Mask)? {
            None => self.out.bytes.extend_from_slice(message),
            Some(clean) => {
                build::copy_data(&clean, &mut self.out.bytes)?;
                *exchange.masked.borrow_mut().entry("copy".to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// The next message, if it is of the same kind as another one, whole, and not too long. What is wrong
/// with it otherwise shows when its own turn comes.
fn alike<'b>(first: &[u8], bytes: &'b [u8]) -> Option<&'b [u8]> {
    let found = frame::peek(bytes, From::Target).ok()??;
    let is_alike = Some(&found.tag) == first.first() && found.len <= limits::MESSAGE_BYTES;
    bytes.get(..found.len).filter(|_| is_alike)
}

/// The shape of a portal's rows, in the formats that its Bind asked for; kept for the next row.
fn portal_shape(exchange: &Exchange, portal: Option<&Rc<Lot>>) -> Result<Rc<Shape>, End> {
    let described = portal.and_then(|portal| Some((portal, portal.description()?)));
    let Some((portal, description)) = described else {
        return Err(End::Mask("rows came that nobody described".to_owned()));
    };
    let shape = description.with_formats(&portal.formats);
    *exchange.shape.borrow_mut() = Some(shape.clone());
    Ok(shape)
}
