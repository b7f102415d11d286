//! A relay between git and its daemon that knows a push when it sees one, and does what networks do.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What happens to a connection.
pub(super) enum Trick {
    /// Something happens at the remote after the push has said what it is, and before the remote hears it.
    Before(Box<dyn FnOnce() + Send>),
    /// The remote gets everything, and nothing of its answer comes back.
    DropAnswer,
    /// It breaks at once.
    Break,
    /// Nothing is ever answered.
    Stall,
}

#[derive(Default)]
struct State {
    next: Mutex<VecDeque<Trick>>,
    stalls: Mutex<bool>,
    pushes: AtomicUsize,
    /// Connections that are held open without an answer.
    held: Mutex<Vec<TcpStream>>,
}

/// The relay; its threads end with the connections.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

impl Relay {
    /// Listens for the daemon at `to`.
    pub(super) fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(client, to, &state));
            }
        });
        Self { address, state }
    }

    /// What happens to the next push.
    pub(super) fn next_push(&self, trick: Trick) {
        self.state.next.lock().unwrap().push_back(trick);
    }

    /// What happens to every connection from now on.
    pub(super) fn always(&self, trick: Trick) {
        assert!(matches!(trick, Trick::Stall), "only that is always done");
        *self.state.stalls.lock().unwrap() = true;
    }

    /// How many pushes came.
    pub(super) fn pushes(&self) -> usize {
        self.state.pushes.load(Ordering::SeqCst)
    }
}

/// The first packet says what is wanted: four digits of its length, then the service.
fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut packet = vec![0; 4];
    client.read_exact(&mut packet).ok()?;
    let length = usize::from_str_radix(std::str::from_utf8(&packet).ok()?, 16).ok()?;
    packet.resize(length, 0);
    client.read_exact(packet.get_mut(4..)?).ok()?;
    Some(packet)
}

fn serve(mut client: TcpStream, to: SocketAddr, state: &State) {
    let Some(request) = request(&mut client) else { return };
    if *state.stalls.lock().unwrap() {
        state.held.lock().unwrap().push(client);
        return;
    }
    let is_push = request.windows(16).any(|word| word == b"git-receive-pack");
    let trick = is_push.then(|| state.next.lock().unwrap().pop_front()).flatten();
    state.pushes.fetch_add(usize::from(is_push), Ordering::SeqCst);
    let mut answer = Answer::Comes;
    match trick {
        Some(Trick::Break) => return,
        Some(Trick::DropAnswer) => answer = Answer::IsLost,
        Some(Trick::Before(happens)) => {
            // The remote names its refs first, as they are then; so the push is decided by what it names later.
            let Ok(server) = TcpStream::connect(to) else { return };
            return relay_after(client, server, &request, happens);
        }
        Some(Trick::Stall) | None => {}
    }
    let Ok(mut server) = TcpStream::connect(to) else { return };
    if server.write_all(&request).is_ok() {
        relay(client, server, answer);
    }
}

/// Hands the refs of the remote on, then lets something happen before the push itself arrives.
fn relay_after(
    mut client: TcpStream,
    mut server: TcpStream,
    request: &[u8],
    happens: Box<dyn FnOnce() + Send>,
) {
    if server.write_all(request).is_err() || !hand_on_refs(&mut server, &mut client) {
        return;
    }
    happens();
    relay(client, server, Answer::Comes);
}

/// Copies packets up to the empty one that ends the list of refs.
fn hand_on_refs(server: &mut TcpStream, client: &mut TcpStream) -> bool {
    loop {
        let mut packet = vec![0; 4];
        if server.read_exact(&mut packet).is_err() {
            return false;
        }
        let length = std::str::from_utf8(&packet).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length else { return false };
        packet.resize(length.max(4), 0);
        if server.read_exact(&mut packet[4..]).is_err() || client.write_all(&packet).is_err() {
            return false;
        }
        if length == 0 {
            return true;
        }
    }
}

/// What becomes of what the remote says of a push.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Comes,
    IsLost,
}

/// Copies both ways until both have ended; without an answer only the list of refs comes back.
fn relay(mut client: TcpStream, mut server: TcpStream, answer: Answer) {
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else { return };
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    if answer == Answer::Comes {
        let _ = std::io::copy(&mut server, &mut client);
    } else {
        hand_on_refs(&mut server, &mut client);
        // The remote has decided when it has said everything.
        let _ = std::io::copy(&mut server, &mut std::io::sink());
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
}
