//! Tier T3 as the app uses it: what is allowed, whether it runs, and what it refused, on record.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use weir_model::entry::Event;

use super::{App, note};
use crate::config::GatewayConfig;
use crate::flow::services::now_us;
use crate::intercept::Interceptor;

const LOOK: Duration = Duration::from_millis(200);

/// Lists the Unix sockets that agents may connect to, and says whether the programs run. The control
/// socket is among them: it is there that an agent is told, on record, that it has no say.
///
/// # Errors
/// A name that no socket can have, or too many.
pub fn prepare(interceptor: &mut Interceptor, config: &GatewayConfig) -> anyhow::Result<()> {
    let control = config.control.display().to_string();
    let mut names = config.unix_sockets.clone();
    names.push(control);
    interceptor.allow_unix(&names).context("reading gateway.unix_sockets")?;
    let lsm = interceptor.lsm();
    if lsm.available {
        tracing::info!("tier T3: {lsm}");
    } else {
        tracing::warn!("tier {}: {lsm}", interceptor.tier());
    }
    Ok(())
}

/// Puts what the programs refused on record.
pub fn watch(app: &Rc<App>) {
    let Some((mut refusals, leaves)) = app.kernel.refusals() else { return };
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            let Some(mut refusal) = refusals.next() else { continue };
            let leaves = leaves();
            loop {
                let text = format!("the kernel refused a call: {}", refusal.hook);
                let mut event = Event::info(now_us(), "perimeter.refused", text)
                    .warning()
                    .with("hook", refusal.hook)
                    .with("pid", refusal.pid)
                    .with("uid", refusal.uid)
                    .with("detail", refusal.detail);
                let binding = leaves.get(&refusal.leaf);
                if let Some(session) = binding.and_then(|id| app.services.session(*id)) {
                    event = event.of_session(session.id);
                }
                note(&app, event).await;
                match refusals.next() {
                    Some(next) => refusal = next,
                    None => break,
                }
            }
        }
    });
}
