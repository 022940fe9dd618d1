//! watchdog - tells systemd that we work, as long as we do
//!
//! It asks what an operator asks with `status`, by a task of its own, so it needs what a session needs: a thread of the
//! runtime that is free, and the gate's locks. No connection to our own port: in a flood the kernel's queue is full
//! while all is well. sd_watchdog_enabled(3).
//! Not here: what systemd does when it is told nothing (`WatchdogSec=` in the unit).

use tokio::time::interval;

use crate::admin::message::Request;
use crate::server::Operator;

/// Tells systemd again and again, where its unit asks for it.
pub(super) async fn run(operator: Operator) {
    let Some(longest) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut ticks = interval(longest / 3);
    loop {
        ticks.tick().await;
        let operator = operator.clone();
        let answered = tokio::spawn(async move { operator.answer(Request::Status).await }).await;
        if answered.is_ok() {
            crate::cli::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}
