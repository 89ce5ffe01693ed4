//! Ctrl-C: the first one asks a command to end, the second one ends it.

use std::process::exit;

use tokio::signal;
use tokio::sync::watch;

use crate::failure::tell;

/// Knows whether the user wants an end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on. Must be called inside a tokio runtime.
    pub(crate) fn listen() -> Self {
        let (wanted, receiver) = watch::channel(false);
        tokio::spawn(async move {
            while requested().await {
                if wanted.send_replace(true) {
                    tell("ended before everything was done");
                    exit(130);
                }
            }
        });
        Self(receiver)
    }

    /// Ends when the user wants an end, at once if that was before.
    pub(crate) async fn requested(&mut self) {
        if self.0.wait_for(|wanted| *wanted).await.is_err() {
            // There are no signals here: then there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for Ctrl-C, and for the polite signal to end where there is one. `false`: there are no
/// signals here.
#[cfg(unix)]
async fn requested() -> bool {
    let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) else {
        return signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        result = signal::ctrl_c() => result.is_ok(),
        _ = terminate.recv() => true,
    }
}

#[cfg(not(unix))]
async fn requested() -> bool {
    signal::ctrl_c().await.is_ok()
}
