//! Listening sockets that the service manager holds for us (sd_listen_fds(3)): systemd's socket activation.
//!
//! They stay open while one process ends and the next one begins, so that a restart refuses nobody: who comes in
//! between waits in the kernel's backlog. Called by [`serve`](super::serve), once.
//!
//! `FileDescriptorName=` says what a socket is for: `admin` for the admin pages, `ocsp-tls` for OCSP over TLS, every
//! other name for OCSP. They take the place of `server.listen`, `server.tls.listen` and `admin.listen`. Several sockets of one address (`ReusePort=yes`) are dealt
//! to the workers, each as its own queue; of one socket all workers take.

use super::{AppError, Fault};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// The name of the socket of the admin pages.
const ADMIN: &str = "admin";
/// The name of sockets on which TLS is spoken.
const TLS: &str = "ocsp-tls";

/// What was handed over; usually nothing.
#[derive(Debug, Default)]
pub(super) struct HandedOver {
    pub ocsp: Vec<TcpListener>,
    pub tls: Vec<TcpListener>,
    pub admin: Option<TcpListener>,
}

impl HandedOver {
    /// As the environment says.
    ///
    /// # Errors
    /// When what was handed over is no TCP socket that listens, or there are two for the admin pages.
    pub fn of_environment() -> Result<Self, AppError> {
        let mut sockets = listenfd::ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut found = Self::default();
        for index in 0..sockets.len() {
            let name = names.next().unwrap_or_default();
            let what = || format!("socket {index} (\"{name}\") from the service manager");
            let fault = |why: String| AppError::Faults(vec![Fault::new(what(), why)]);
            let taken = sockets.take_tcp_listener(index);
            let socket = taken.map_err(|why| fault(format!("no TCP socket that listens: {why}")))?;
            let Some(socket) = socket else { continue };
            match name {
                ADMIN if found.admin.is_some() => {
                    return Err(fault("the admin pages have one socket, and this is the second".to_owned()));
                }
                ADMIN => found.admin = Some(socket),
                TLS => found.tls.push(socket),
                _ => found.ocsp.push(socket),
            }
        }
        Ok(found)
    }
}

/// Gives each of `count` workers sockets of every address; each socket to somebody.
///
/// # Errors
/// When a socket cannot be had twice.
pub(super) fn deal(sockets: Vec<TcpListener>, count: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut of_address: BTreeMap<SocketAddr, Vec<TcpListener>> = BTreeMap::new();
    for socket in sockets {
        of_address.entry(socket.local_addr()?).or_default().push(socket);
    }
    let mut dealt: Vec<Vec<TcpListener>> = (0..count).map(|_| Vec::new()).collect();
    for sockets in of_address.values() {
        // Where there are fewer sockets than workers, some workers share one.
        for (turn, socket) in sockets.iter().cycle().take(count.max(sockets.len())).enumerate() {
            if let Some(worker) = dealt.get_mut(turn % count.max(1)) {
                worker.push(socket.try_clone()?);
            }
        }
    }
    Ok(dealt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn ports(dealt: &[Vec<TcpListener>]) -> Vec<Vec<u16>> {
        let port = |socket: &TcpListener| socket.local_addr().unwrap().port();
        dealt.iter().map(|sockets| sockets.iter().map(port).collect()).collect()
    }

    #[test]
    fn every_worker_takes_of_every_address() {
        let mut ordered = [socket(), socket()];
        ordered.sort_by_key(|socket| socket.local_addr().unwrap());
        let [a, b] = ordered.each_ref().map(|socket| socket.local_addr().unwrap().port());
        assert_eq!(ports(&deal(ordered.into(), 3).unwrap()), [[a, b], [a, b], [a, b]]);
    }

    #[test]
    fn no_socket_is_left_over_where_there_are_more_than_workers() {
        let one = socket();
        let same = || one.try_clone().unwrap();
        let dealt = deal(vec![same(), same(), same()], 2).unwrap();
        assert_eq!(dealt.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn without_a_service_manager_nothing_is_handed_over() {
        let found = HandedOver::of_environment().unwrap();
        assert!(found.ocsp.is_empty() && found.tls.is_empty() && found.admin.is_none());
    }
}
