//! Last words to a client, which may not be reading any more.

use std::time::Duration;

use weir_model::limits;
use weir_wire::postgres::build::{self, ErrorFields, Severity};

use crate::driver::stream::Side;

/// Tells a client why its connection ends.
pub async fn complain(client: &Side, code: &'static str, message: String) {
    let severity = Severity::Fatal;
    tell(client, &ErrorFields { severity, code, message, detail: None, hint: None }).await;
}

/// The same with more words.
pub async fn tell(client: &Side, fields: &ErrorFields) {
    let mut out = Vec::new();
    build::error_response(fields, &mut out);
    within(async {
        if let Err(error) = client.write(&out).await {
            tracing::debug!(%error, "telling a client why");
        }
    })
    .await;
}

/// Takes leave of a peer, as far as it lets that happen in time.
pub async fn within(leaving: impl Future<Output = ()>) {
    if tokio::time::timeout(Duration::from_millis(limits::PARTING_MS), leaving).await.is_err() {
        tracing::debug!("leaving a peer that does not read");
    }
}
