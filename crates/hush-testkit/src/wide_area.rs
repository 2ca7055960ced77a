//! A network that is slower than this machine's: a proxy that delays what passes through it and bounds its rate.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Bytes read at once; what is under way is at most [`UNDER_WAY`] times that.
const CHUNK: usize = 64 << 10;
const UNDER_WAY: usize = 1024;

/// A line between two places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// How long a byte takes from one end to the other.
    pub latency: Duration,
    /// Bytes a second, each way, for all connections together.
    pub bytes_per_second: f64,
}

/// Listens on a port of its own and forwards every connection over a [`Line`], until it is dropped.
#[derive(Debug)]
pub struct WideArea {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

/// When the last byte so far has left one end; one each way.
type Busy = Arc<Mutex<Instant>>;

impl WideArea {
    /// A line to `target`.
    ///
    /// # Errors
    /// If no port is free.
    pub fn to(target: SocketAddr, line: Line) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Self::over(listener, target, line)
    }

    /// The same on a port that is bound already.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn over(listener: TcpListener, target: SocketAddr, line: Line) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let busy: [Busy; 2] = [(); 2].map(|()| Arc::new(Mutex::new(Instant::now())));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                if let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) {
                    carry(near, far, line, busy[0].clone());
                    carry(far_too, near_too, line, busy[1].clone());
                }
            }
        });
        Ok(Self { address, stop })
    }

    /// Where to connect instead of to the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WideArea {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Two threads: one notes when each chunk would arrive, the other delivers it then.
fn carry(mut from: TcpStream, to: TcpStream, line: Line, busy: Busy) {
    let (sender, receiver): (SyncSender<(Instant, Vec<u8>)>, _) = sync_channel(UNDER_WAY);
    std::thread::spawn(move || deliver(to, &receiver));
    std::thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count) = from.read(&mut chunk) {
            if count == 0 {
                return;
            }
            let takes = Duration::from_secs_f64(count as f64 / line.bytes_per_second);
            let left = {
                let mut busy = busy.lock().unwrap_or_else(|poison| poison.into_inner());
                *busy = (*busy).max(Instant::now()) + takes;
                *busy
            };
            if sender
                .send((left + line.latency, chunk[..count].to_vec()))
                .is_err()
            {
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
        }
    });
}

fn deliver(mut to: TcpStream, chunks: &Receiver<(Instant, Vec<u8>)>) {
    for (arrival, chunk) in chunks {
        std::thread::sleep(arrival.saturating_duration_since(Instant::now()));
        if to.write_all(&chunk).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; CHUNK];
            while let Ok(count) = stream.read(&mut bytes) {
                if count == 0 || stream.write_all(&bytes[..count]).is_err() {
                    return;
                }
            }
        });
        address
    }

    #[test]
    fn bytes_arrive_unchanged_and_no_earlier_than_the_line_allows() {
        let line = Line {
            latency: Duration::from_millis(30),
            bytes_per_second: 4e6,
        };
        let proxy = WideArea::to(echo(), line).unwrap();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        let begin = Instant::now();
        stream.write_all(b"ping").unwrap();
        let mut found = [0; 4];
        stream.read_exact(&mut found).unwrap();
        assert_eq!(&found, b"ping");
        assert!(begin.elapsed() >= Duration::from_millis(60));
        // A megabyte takes a quarter of a second there and, chunk by chunk behind it, back.
        let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i * 7 + i / 999) as u8).collect();
        let begin = Instant::now();
        let (mut writer, bytes) = (stream.try_clone().unwrap(), sent.clone());
        let writing = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
        let mut found = vec![0; sent.len()];
        stream.read_exact(&mut found).unwrap();
        writing.join().unwrap();
        assert_eq!(found, sent);
        assert!(begin.elapsed() >= Duration::from_millis(310));
    }
}
