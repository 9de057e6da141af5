//! Sockets that listen.

use std::net::{SocketAddr, TcpListener};

use super::error::ServeError;

/// Binds an address. A restart need not wait until the kernel forgets the connections of the process before.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let refuse = |source| ServeError::Listen { address, source };
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).map_err(refuse)?;
    socket.set_reuse_address(true).map_err(refuse)?;
    socket.bind(&address.into()).map_err(refuse)?;
    // Room for a storm of reconnecting clients.
    socket.listen(16_384).map_err(refuse)?;
    Ok(socket.into())
}
