//! What systemd is told (sd_notify(3)): that the listeners listen, that the process lives, that it ends.
//!
//! Called by [`serve`](super::serve) on the thread of the signals. Without `NOTIFY_SOCKET` in the environment
//! nobody is told anything. What cannot be sent is not worth more than a line: the watchdog will see to it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

pub(super) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// Twice as often as the watchdog wants it.
    beats: Option<Interval>,
}

impl Supervisor {
    /// As the environment says; to be called within the runtime that will beat.
    pub fn of_environment() -> Self {
        let socket = std::env::var("NOTIFY_SOCKET").ok().and_then(|address| {
            connect(&address)
                .inspect_err(
                    |why| tracing::warn!(reason = %why, "the service manager cannot be told anything"),
                )
                .ok()
        });
        let is_for_us =
            std::env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid == std::process::id().to_string());
        let period = std::env::var("WATCHDOG_USEC").ok().and_then(|period| period.parse().ok());
        let beats = period.filter(|period| is_for_us && *period > 1).map(|period: u64| {
            let mut beats = tokio::time::interval(Duration::from_micros(period / 2));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beats
        });
        Self { socket, beats }
    }

    /// `READY=1`, `STOPPING=1`, …
    pub fn tell(&self, state: &str) {
        if let Some(Err(why)) = self.socket.as_ref().map(|socket| socket.send(state.as_bytes())) {
            tracing::warn!(state, reason = %why, "the service manager was not told");
        }
    }

    /// Waits for the next beat of the watchdog, and gives it; for ever where there is no watchdog.
    pub async fn beat(&mut self) {
        match &mut self.beats {
            Some(beats) => {
                beats.tick().await;
                self.tell("WATCHDOG=1");
            }
            None => std::future::pending().await,
        }
    }
}

/// A path, or with `@` in front a name of Linux' abstract sockets.
fn connect(address: &str) -> std::io::Result<UnixDatagram> {
    let address = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not stop the answers' signals.
    socket.set_nonblocking(true)?;
    Ok(socket)
}
