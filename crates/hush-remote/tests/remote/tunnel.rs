//! A way to a server that breaks off.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Passes on what comes, and cuts a connection after so many bytes of the caller.
pub(crate) struct Tunnel {
    pub(crate) address: SocketAddr,
    /// Bytes that callers sent through it.
    pub(crate) passed: Arc<AtomicU64>,
}

impl Tunnel {
    /// Cuts the first `cuts` connections that send more than `after` bytes.
    pub(crate) fn new(server: SocketAddr, cuts: u64, after: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&passed);
        let left = Arc::new(AtomicU64::new(cuts));
        // Ends with the process.
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let (counter, left) = (Arc::clone(&counter), Arc::clone(&left));
                let back = (server.try_clone().unwrap(), caller.try_clone().unwrap());
                thread::spawn(move || pass(back.0, back.1, |_| true));
                thread::spawn(move || {
                    let mut sent = 0;
                    pass(caller, server, |size| {
                        sent += size;
                        counter.fetch_add(size, Ordering::SeqCst);
                        let take = |left: u64| left.checked_sub(1);
                        sent <= after
                            || left
                                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                                .is_err()
                    });
                });
            }
        });
        Self { address, passed }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut go_on: impl FnMut(u64) -> bool) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(size @ 1..) = from.read(&mut piece) {
        if !go_on(size as u64) || to.write_all(&piece[..size]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
