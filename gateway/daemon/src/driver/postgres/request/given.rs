//! What goes to the target in place of a message whose tokens are turned back.

use weir_wire::postgres::build;
use weir_wire::postgres::frontend::Frontend;

use super::{Asking, End, Requests};

/// The name of statements and portals that Weir makes for a moment.
const GIVEN: &[u8] = b"weir.given";

impl Requests<'_> {
    /// A Bind with the tokens among its parameters turned back, if any are.
    pub(super) async fn with_values(
        &mut self,
        asking: &Asking,
        declared: &[u32],
        bind: &Frontend<'_>,
    ) -> Result<Option<Vec<u8>>, End> {
        let Frontend::Bind { portal, statement, formats, parameters, result_formats } = bind else {
            return Ok(None);
        };
        let values: Vec<Option<&[u8]>> = parameters.iter().collect();
        let judged = &asking.exchange.judged;
        let revealed = self.lane.reveal_parameters(judged, declared, &values).await;
        if revealed.is_empty() {
            return Ok(None);
        }
        let values = values.into_iter().enumerate();
        let values = values.map(|(place, value)| revealed.parameter(place).or(value));
        let results = result_formats.iter();
        let mut message = Vec::new();
        build::bind(portal, statement, formats.iter(), values, results, &mut message)?;
        self.burst.note(revealed.entry(self.lane, asking.exchange.id), &[]);
        Ok(Some(message))
    }

    /// A simple query as one with parameters, with the tokens among its literals turned back.
    pub(super) async fn with_parameters(
        &mut self,
        asking: &Asking,
    ) -> Result<Option<Vec<u8>>, End> {
        // In a pipeline its Sync would end what the target skips.
        if !self.lane.talk.borrow().is_quiet() {
            return Ok(None);
        }
        let judged = &asking.exchange.judged;
        let Some((text, revealed)) = self.lane.reveal_literals(judged).await else {
            return Ok(None);
        };
        // Should it fail, this statement stays under its name: nobody else's may stand there.
        self.lane.talk.borrow_mut().undefine(Some(GIVEN));
        self.lane.blur_name(GIVEN);
        let mut message = Vec::new();
        build::query_with(GIVEN, &text, revealed.values(), &mut message)?;
        self.burst.note(revealed.entry(self.lane, asking.exchange.id), &[]);
        Ok(Some(message))
    }
}
