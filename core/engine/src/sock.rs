//! Socket calls that std does not have, each wrapped so that its callers need no `unsafe`.
//!
//! Descriptors come in as [`BorrowedFd`], so they are open for the time of the call, and go out as [`OwnedFd`].

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libc::{c_int, c_void, socklen_t};
use sluice_flow::buf::{Chain, PARTS_MAX, Then};
use sluice_flow::event::{Leg, Way};

use crate::SocketSettings;

/// Silence after which a peer is asked whether it is still there, in seconds.
const KEEPALIVE_IDLE_S: c_int = 60;
/// Time between two such questions, in seconds.
const KEEPALIVE_INTERVAL_S: c_int = 10;
/// Unanswered questions after which it is taken as gone.
const KEEPALIVE_PROBES: c_int = 6;
/// How long sent bytes may stay unacknowledged by a client, in milliseconds: long enough to walk between two rooms.
const USER_TIMEOUT_CLIENT_MS: c_int = 60_000;
/// The same for a host, which is in the machine room.
const USER_TIMEOUT_HOST_MS: c_int = 30_000;

/// Whether calls on a descriptor wait. The ring wants descriptors that do, since it waits itself; with `O_NONBLOCK` it would
/// hand `EAGAIN` through instead. Poll wants such that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Blocking,
    NonBlocking,
}

/// A socket address as the kernel reads it.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    storage: libc::sockaddr_storage,
    len: socklen_t,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("family", &self.storage.ss_family).field("len", &self.len).finish()
    }
}

impl Address {
    pub(crate) fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(crate) fn len(&self) -> socklen_t {
        self.len
    }

    pub(crate) fn family(&self) -> c_int {
        c_int::from(self.storage.ss_family)
    }

    fn empty() -> Self {
        // SAFETY: zeroed demands that all zeroes are a valid value; a sockaddr_storage is a number and arrays of bytes.
        let storage = unsafe { mem::zeroed() };
        Self { storage, len: 0 }
    }

    /// Writes `value`, one of the kernel's address types, into the storage.
    fn of<T: Copy>(value: T) -> Self {
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) };
        const { assert!(align_of::<T>() <= align_of::<libc::sockaddr_storage>()) };
        let mut address = Self::empty();
        // SAFETY: write demands room and alignment for a T behind the pointer; the two assertions above say that a
        // sockaddr_storage has both.
        unsafe { (&raw mut address.storage).cast::<T>().write(value) };
        address.len = size::<T>();
        address
    }

    /// The address of a Unix socket.
    ///
    /// # Errors
    /// `ENAMETOOLONG` if the path does not fit (107 bytes), `EINVAL` if it holds a zero.
    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        let bytes = path.as_os_str().as_bytes();
        // SAFETY: zeroed demands that all zeroes are a valid value; a sockaddr_un is a number and an array of bytes.
        let mut raw: libc::sockaddr_un = unsafe { mem::zeroed() };
        if bytes.len() >= raw.sun_path.len() {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        raw.sun_family = family(libc::AF_UNIX);
        for (to, from) in raw.sun_path.iter_mut().zip(bytes) {
            *to = libc::c_char::from_ne_bytes([*from]);
        }
        Ok(Self::of(raw))
    }

    /// What it says, if it is an Internet address.
    fn internet(&self) -> Option<SocketAddr> {
        let at: *const libc::sockaddr_storage = &raw const self.storage;
        match self.family() {
            libc::AF_INET if self.len >= size::<libc::sockaddr_in>() => {
                // SAFETY: read demands a valid, aligned sockaddr_in; the storage is aligned for all address types, `len` says
                // that the kernel wrote a whole one, and any bytes are a valid value.
                let raw = unsafe { at.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr));
                Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(raw.sin_port))))
            }
            libc::AF_INET6 if self.len >= size::<libc::sockaddr_in6>() => {
                // SAFETY: as above, for sockaddr_in6.
                let raw = unsafe { at.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                let port = u16::from_be(raw.sin6_port);
                Some(SocketAddr::V6(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id)))
            }
            _ => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(v4) => {
                // SAFETY: zeroed demands that all zeroes are a valid value; a sockaddr_in is numbers and an array of bytes.
                let mut raw: libc::sockaddr_in = unsafe { mem::zeroed() };
                raw.sin_family = family(libc::AF_INET);
                raw.sin_port = v4.port().to_be();
                raw.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
                Self::of(raw)
            }
            SocketAddr::V6(v6) => {
                // SAFETY: zeroed demands that all zeroes are a valid value; a sockaddr_in6 is numbers and an array of bytes.
                let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
                raw.sin6_family = family(libc::AF_INET6);
                raw.sin6_port = v6.port().to_be();
                raw.sin6_flowinfo = v6.flowinfo();
                raw.sin6_addr.s6_addr = v6.ip().octets();
                raw.sin6_scope_id = v6.scope_id();
                Self::of(raw)
            }
        }
    }
}

/// A new stream socket for addresses like `address`.
pub(crate) fn stream(address: &Address, mode: Mode) -> io::Result<OwnedFd> {
    socket(address.family(), mode)
}

fn socket(domain: c_int, mode: Mode) -> io::Result<OwnedFd> {
    // SAFETY: socket takes three numbers and no pointer.
    let raw = unsafe { libc::socket(domain, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | nonblock(mode), 0) };
    owned(raw)
}

/// A listening TCP socket in the reuseport group of its address.
pub(crate) fn listener(addr: SocketAddr, backlog: c_int) -> io::Result<TcpListener> {
    let address = Address::from(addr);
    let fd = socket(address.family(), Mode::Blocking)?;
    let at = fd.as_fd();
    set(at, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    set(at, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    if addr.is_ipv6() {
        set(at, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    // SAFETY: bind demands a pointer to `len` bytes of address; `address` holds that many and lives on this stack.
    done(unsafe { libc::bind(fd.as_raw_fd(), address.pointer(), address.len()) })?;
    // SAFETY: listen takes two numbers and no pointer.
    done(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(TcpListener::from(fd))
}

/// Sets the options of a TCP socket on the `leg` side. A listener gets those of the client side: what it accepts inherits them,
/// which saves the calls for every connection.
///
/// # Errors
/// The name of the option that was refused, and why.
pub(crate) fn configure(fd: BorrowedFd<'_>, leg: Leg, settings: &SocketSettings) -> Result<(), (&'static str, io::Error)> {
    let user_timeout = match leg {
        Leg::Client => USER_TIMEOUT_CLIENT_MS,
        Leg::Host => USER_TIMEOUT_HOST_MS,
    };
    let set_tcp = |name, option, value| set(fd, libc::IPPROTO_TCP, option, value).map_err(|e| (name, e));
    // Small writes go out at once; what belongs together is sent in one call anyway.
    set_tcp("setsockopt(TCP_NODELAY)", libc::TCP_NODELAY, 1)?;
    set_tcp("setsockopt(TCP_KEEPIDLE)", libc::TCP_KEEPIDLE, KEEPALIVE_IDLE_S)?;
    set_tcp("setsockopt(TCP_KEEPINTVL)", libc::TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)?;
    set_tcp("setsockopt(TCP_KEEPCNT)", libc::TCP_KEEPCNT, KEEPALIVE_PROBES)?;
    set_tcp("setsockopt(TCP_USER_TIMEOUT)", libc::TCP_USER_TIMEOUT, user_timeout)?;
    set(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1).map_err(|e| ("setsockopt(SO_KEEPALIVE)", e))?;
    if let Some(bytes) = settings.notsent_lowat_bytes {
        let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        set_tcp("setsockopt(TCP_NOTSENT_LOWAT)", libc::TCP_NOTSENT_LOWAT, bytes)?;
    }
    if let Some(name) = &settings.congestion {
        set_bytes(fd, libc::IPPROTO_TCP, libc::TCP_CONGESTION, name.as_bytes()).map_err(|e| ("setsockopt(TCP_CONGESTION)", e))?;
    }
    Ok(())
}

/// Tries the options on a socket made for this.
///
/// # Errors
/// As [`configure`].
pub(crate) fn try_settings(settings: &SocketSettings) -> Result<(), (&'static str, io::Error)> {
    let fd = socket(libc::AF_INET, Mode::Blocking).or_else(|_| socket(libc::AF_INET6, Mode::Blocking));
    configure(fd.map_err(|e| ("socket", e))?.as_fd(), Leg::Client, settings)
}

/// Makes closing reset the connection, and drop what was not sent.
pub(crate) fn reset_on_close(fd: BorrowedFd<'_>) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set_value(fd, libc::SOL_SOCKET, libc::SO_LINGER, &linger)
}

/// Which half of a connection is shut down.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Sending,
    Both,
}

pub(crate) fn shutdown(fd: BorrowedFd<'_>, half: Half) -> io::Result<()> {
    let how = match half {
        Half::Sending => libc::SHUT_WR,
        Half::Both => libc::SHUT_RDWR,
    };
    // SAFETY: shutdown takes two numbers and no pointer.
    done(unsafe { libc::shutdown(fd.as_raw_fd(), how) })
}

pub(crate) fn set_mode(fd: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
    // SAFETY: fcntl with F_GETFL takes numbers and no pointer.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = match mode {
        Mode::Blocking => flags & !libc::O_NONBLOCK,
        Mode::NonBlocking => flags | libc::O_NONBLOCK,
    };
    // SAFETY: fcntl with F_SETFL takes numbers and no pointer.
    done(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, wanted) })
}

/// Takes one connection from a listener's backlog. Waits for one if the listener is blocking.
pub(crate) fn accept(fd: BorrowedFd<'_>, mode: Mode) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | nonblock(mode);
    // SAFETY: accept4 takes null for address and length together: no address is wanted.
    let raw = unsafe { libc::accept4(fd.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags) };
    owned(raw)
}

/// Whether something can be read, or accepted, without waiting.
pub(crate) fn readable(fd: BorrowedFd<'_>) -> bool {
    let mut wish = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: poll demands a pointer to as many pollfd as it is told; `wish` is one, on this stack.
    unsafe { libc::poll(&raw mut wish, 1, 0) == 1 }
}

/// Starts to connect, or connects.
pub(crate) fn connect(fd: BorrowedFd<'_>, to: &Address) -> io::Result<()> {
    // SAFETY: connect demands a pointer to `len` bytes of address; `to` holds that many for the time of the call.
    done(unsafe { libc::connect(fd.as_raw_fd(), to.pointer(), to.len()) })
}

/// The other end's address, if it is connected and an Internet address.
pub(crate) fn peer_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    // SAFETY: of getpeername, `ask` demands that it keeps to the length it is given, and it does.
    unsafe { ask(fd, libc::getpeername) }
}

/// This end's address, if it is an Internet address.
pub(crate) fn local_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    // SAFETY: of getsockname, `ask` demands that it keeps to the length it is given, and it does.
    unsafe { ask(fd, libc::getsockname) }
}

type AskAddress = unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut socklen_t) -> c_int;

/// # Safety
/// `call` writes at most as many bytes as the length says that it is given, and the length of the address into it.
unsafe fn ask(fd: BorrowedFd<'_>, call: AskAddress) -> io::Result<SocketAddr> {
    let mut address = Address::empty();
    address.len = size::<libc::sockaddr_storage>();
    let storage = (&raw mut address.storage).cast();
    // SAFETY: both pointers are to fields of `address`, on this stack, of the size that the length says; the rest is what the
    // caller promises.
    done(unsafe { call(fd.as_raw_fd(), storage, &raw mut address.len) })?;
    address.internet().ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Whether the socket is connected to something.
pub(crate) fn is_connected(fd: BorrowedFd<'_>) -> bool {
    let mut address = Address::empty();
    address.len = size::<libc::sockaddr_storage>();
    let storage = (&raw mut address.storage).cast();
    // SAFETY: getpeername demands pointers to a length and to that many bytes; both are fields of `address`, on this stack.
    unsafe { libc::getpeername(fd.as_raw_fd(), storage, &raw mut address.len) == 0 }
}

/// The error that waits on the socket, and takes it off.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut errno: c_int = 0;
    let mut len = size::<c_int>();
    let to = (&raw mut errno).cast::<c_void>();
    // SAFETY: getsockopt demands pointers to a length and to that many bytes; `errno` is one c_int, on this stack.
    done(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, to, &raw mut len) })?;
    Ok((errno != 0).then_some(errno))
}

/// Receives into `room`, without waiting on a non-blocking socket. Zero: the other side has finished.
pub(crate) fn receive(fd: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<usize> {
    let (at, len) = (room.as_mut_ptr().cast::<c_void>(), room.len());
    // SAFETY: recv demands a pointer to `len` bytes that may be written; they are those of `room`, borrowed mutably.
    counted(unsafe { libc::recv(fd.as_raw_fd(), at, len, 0) })
}

/// Sends as much of `chain` as the kernel takes, in one call, and says how many bytes that was. `sealed`: by the kernel.
pub(crate) fn send(fd: BorrowedFd<'_>, chain: &Chain, sealed: bool) -> io::Result<usize> {
    let mut slices = [const { MaybeUninit::<libc::iovec>::uninit() }; PARTS_MAX];
    let mut n = 0;
    for (to, slice) in slices.iter_mut().zip(chain.slices()) {
        to.write(io_slice(slice));
        n += 1;
    }
    let mut message = empty_message();
    message.msg_iov = slices.as_mut_ptr().cast();
    message.msg_iovlen = n;
    let mut typ = RecordType::new(chain.typed().unwrap_or_default());
    if sealed && chain.typed().is_some() {
        typ.go_with(&mut message);
    }
    let flags = libc::MSG_NOSIGNAL | if sealed { 0 } else { more(chain) };
    // SAFETY: sendmsg demands a message whose iovecs are initialised, which the first `n` are, and point to readable bytes, which
    // are those of `chain`, borrowed for the time of the call. There is no name, and control data, if any, is in `typ`, on this stack.
    counted(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, flags) })
}

/// Sends `bytes`, on a socket whose records the kernel seals, as a record of type `typ`, or as data.
pub(crate) fn send_typed(fd: BorrowedFd<'_>, bytes: &[u8], typ: Option<u8>) -> io::Result<usize> {
    let mut slice = io_slice(bytes);
    let mut message = empty_message();
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    let mut control = RecordType::new(typ.unwrap_or_default());
    if typ.is_some() {
        control.go_with(&mut message);
    }
    // SAFETY: sendmsg demands a message whose pointers are valid: one iovec on this stack, which points to `bytes`, and control data, if
    // any, on this stack, too.
    counted(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) })
}

/// Receives one record into `room`, or its beginning, and its type if that is not data, from a socket whose records the kernel opens.
/// Does not wait.
pub(crate) fn receive_typed(fd: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<(usize, Option<u8>)> {
    let mut slice = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    let mut message = empty_message();
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    let mut control = RecordType::new(0);
    control.go_with(&mut message);
    // SAFETY: recvmsg demands a message whose pointers are valid and may be written: one iovec on this stack, which points to `room`,
    // borrowed mutably, and control data on this stack of the size that the message says.
    let n = counted(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) })?;
    let header = &control.header;
    let said = message.msg_controllen >= size_of::<RecordType>() - CMSG_PADDING
        && (header.cmsg_level, header.cmsg_type) == (SOL_TLS, TLS_GET_RECORD_TYPE);
    Ok((n, said.then_some(control.typ)))
}

/// From linux/tls.h.
const SOL_TLS: c_int = 282;
const TLS_TX: c_int = 1;
const TLS_RX: c_int = 2;
const TLS_SET_RECORD_TYPE: c_int = 1;
const TLS_GET_RECORD_TYPE: c_int = 2;

/// A control message with the type of a record, as the kernel lays it out: the header, and behind it a byte, rounded up.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RecordType {
    header: libc::cmsghdr,
    typ: u8,
}

/// What of it is neither header nor content.
const CMSG_PADDING: usize = size_of::<RecordType>() - size_of::<libc::cmsghdr>() - 1;

// What CMSG_LEN(1), CMSG_SPACE(1) and CMSG_DATA come to.
const _: () = assert!(size_of::<RecordType>().is_multiple_of(size_of::<usize>()) && CMSG_PADDING < size_of::<usize>());
const _: () = assert!(mem::offset_of!(RecordType, typ) == size_of::<libc::cmsghdr>());

impl RecordType {
    pub(crate) const fn new(typ: u8) -> Self {
        let cmsg_len = size_of::<libc::cmsghdr>() + 1;
        Self { header: libc::cmsghdr { cmsg_len, cmsg_level: SOL_TLS, cmsg_type: TLS_SET_RECORD_TYPE }, typ }
    }

    /// Has `message` point to it: it must stay where it is for as long as the message is used.
    pub(crate) fn go_with(&mut self, message: &mut libc::msghdr) {
        message.msg_control = (&raw mut *self).cast();
        message.msg_controllen = size_of::<Self>();
    }
}

/// Puts the layer of TLS on a connected socket. By itself it changes nothing.
pub(crate) fn attach_tls(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_bytes(fd, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls")
}

/// Gives the key of one direction to a socket with that layer.
pub(crate) fn set_tls_key(fd: BorrowedFd<'_>, way: Way, info: &[u8]) -> io::Result<()> {
    let option = match way {
        Way::Transmit => TLS_TX,
        Way::Receive => TLS_RX,
    };
    set_bytes(fd, SOL_TLS, option, info)
}

/// Reads back the key with which the kernel seals, and with it the number of the next record. `info` must be of the size that its cipher wants.
pub(crate) fn tls_sending_key(fd: BorrowedFd<'_>, info: &mut [u8]) -> io::Result<()> {
    let wanted = info.len();
    if get_bytes(fd, SOL_TLS, TLS_TX, info)? == wanted { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Bytes that the other side has acknowledged since the connection was made.
///
/// # Errors
/// Those of the call; [`io::ErrorKind::NotConnected`] if there is no connection any more.
pub(crate) fn acknowledged(fd: BorrowedFd<'_>) -> io::Result<u64> {
    /// Of `struct tcp_info` in linux/tcp.h: where its state is and where `tcpi_bytes_acked` (4.1) begins and ends. It only ever grows at its end.
    const STATE: usize = 0;
    const ACKED: usize = 120;
    const END: usize = ACKED + 8;
    const CLOSED: u8 = 7;
    let mut info = [0; END];
    if get_bytes(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)? < END {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if info[STATE] == CLOSED {
        return Err(io::ErrorKind::NotConnected.into());
    }
    Ok(info.last_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes)))
}

/// Bytes that TCP has and the other side has not acknowledged.
pub(crate) fn unacknowledged(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut n: c_int = 0;
    // SAFETY: ioctl with TIOCOUTQ, which sockets call SIOCOUTQ, demands a pointer to a c_int that may be written; `n` is one, on this stack.
    done(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut n) })?;
    Ok(u64::try_from(n).unwrap_or_default())
}

/// The flag for what follows `chain`: the kernel may wait for it. FIN is said behind the send and takes along what waits.
pub(crate) fn more(chain: &Chain) -> c_int {
    match chain.follows() {
        Then::Open => 0,
        Then::More | Then::Fin => libc::MSG_MORE,
    }
}

/// A message header that points to nothing.
pub(crate) fn empty_message() -> libc::msghdr {
    // SAFETY: zeroed demands that all zeroes are a valid value; a msghdr is numbers and raw pointers that may be null.
    unsafe { mem::zeroed() }
}

/// `slice` as the kernel's vectored calls take it. The kernel only reads through it.
pub(crate) fn io_slice(slice: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: slice.as_ptr().cast_mut().cast(), iov_len: slice.len() }
}

fn set(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    set_value(fd, level, option, &value)
}

fn set_value<T: Copy>(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let from = std::ptr::from_ref(value).cast::<c_void>();
    // SAFETY: setsockopt demands a pointer to `len` bytes that may be read; they are those of `value`.
    done(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, from, size::<T>()) })
}

fn set_bytes(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: &[u8]) -> io::Result<()> {
    let len = socklen_t::try_from(value.len()).unwrap_or(socklen_t::MAX);
    // SAFETY: setsockopt demands a pointer to `len` bytes that may be read; they are those of `value`, which is a name or a key of a few
    // bytes and at any rate no longer than `len` says.
    done(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, value.as_ptr().cast(), len) })
}

/// Reads an option into `value`, and says how many bytes the kernel wrote.
fn get_bytes(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: &mut [u8]) -> io::Result<usize> {
    let mut len = socklen_t::try_from(value.len()).unwrap_or_default();
    // SAFETY: getsockopt demands pointers to a length and to that many bytes that may be written; they are those of `value`, or fewer.
    done(unsafe { libc::getsockopt(fd.as_raw_fd(), level, option, value.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(usize::try_from(len).unwrap_or_default())
}

fn nonblock(mode: Mode) -> c_int {
    match mode {
        Mode::Blocking => 0,
        Mode::NonBlocking => libc::SOCK_NONBLOCK,
    }
}

fn owned(raw: c_int) -> io::Result<OwnedFd> {
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: from_raw_fd demands an open descriptor that nobody else owns; the kernel has just made this one for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn done(answer: c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn counted(answer: isize) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

#[expect(clippy::cast_possible_truncation, reason = "the sizes of the kernel's address types and options are below 256")]
const fn size<T>() -> socklen_t {
    size_of::<T>() as socklen_t
}

fn family(number: c_int) -> libc::sa_family_t {
    libc::sa_family_t::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn addresses_survive_the_kernel_and_back() {
        for addr in ["192.0.2.7:1494", "[2001:db8::7]:2598", "[fe80::1%3]:443"] {
            let addr: SocketAddr = addr.parse().unwrap();
            assert_eq!(Address::from(addr).internet(), Some(addr));
        }
        assert_eq!(Address::unix(Path::new("/run/portal.sock")).unwrap().internet(), None);
        let fits = "x".repeat(107);
        Address::unix(Path::new(&fits)).unwrap();
        let too_long = "x".repeat(108);
        assert_eq!(Address::unix(Path::new(&too_long)).unwrap_err().raw_os_error(), Some(libc::ENAMETOOLONG));
        Address::unix(Path::new("with\0zero")).unwrap_err();
    }

    #[test]
    fn what_a_listener_accepts_inherits_its_options() {
        let listener = listener("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let settings = SocketSettings { notsent_lowat_bytes: Some(123_456), congestion: Some("reno".to_owned()) };
        configure(listener.as_fd(), Leg::Client, &settings).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = accept(listener.as_fd(), Mode::Blocking).unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 60);
        assert_eq!(socket.tcp_keepalive_interval().unwrap().as_secs(), 10);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
        assert_eq!(socket.tcp_user_timeout().unwrap().unwrap().as_secs(), 60);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), 123_456);
        assert!(socket.tcp_congestion().unwrap().starts_with(b"reno\0"));
    }

    #[test]
    fn modes_are_as_asked_for() {
        let accepts = listener("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        set_mode(accepts.as_fd(), Mode::NonBlocking).unwrap();
        assert_eq!(accept(accepts.as_fd(), Mode::Blocking).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        set_mode(accepts.as_fd(), Mode::Blocking).unwrap();
        assert!(!readable(accepts.as_fd()));
        let _client = TcpStream::connect(accepts.local_addr().unwrap()).unwrap();
        let accepted = accept(accepts.as_fd(), Mode::NonBlocking).unwrap();
        assert_eq!(receive(accepted.as_fd(), &mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
