//! Whether anybody listens on a port of this host.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

/// Tells whether the port could be listened on now, on every address. What cannot be tried counts as taken, but where a family of
/// addresses does not exist nobody can listen on it.
#[must_use]
pub fn is_port_free(port: u16) -> bool {
    let every: [SocketAddr; 2] = [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
    every.into_iter().all(|address| match TcpListener::bind(address) {
        Ok(_) => true,
        Err(error) => {
            matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported) || is_absent(&error)
        }
    })
}

/// The system has no such family of addresses.
fn is_absent(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_when_nobody_listens_on_it_on_any_address() {
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let listener = TcpListener::bind((address, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(!is_port_free(port), "{address}");
        }
    }
}
