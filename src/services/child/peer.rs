//! Whose program is at the other end of a connection on loopback, by the kernel's table of sockets (`proc_net_tcp(5)`).

use std::net::SocketAddrV4;

/// Whose program made a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// This user's, or root's, who may run a relay (WSL) and sees everything anyway.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no other kernel is asked"))]
    Own,
    /// Another user's; or nobody's any more, since it was closed. The kernel counts such a socket as root's.
    Stranger,
    /// The kernel does not say.
    Unknown,
}

/// Who made the connection from `caller` to `here`, where this process listens.
#[cfg(target_os = "linux")]
pub fn peer(caller: SocketAddrV4, here: SocketAddrV4) -> Peer {
    let read = |name: &str| std::fs::read_to_string(name).unwrap_or_default();
    linux::Question {
        caller,
        here,
        me: rustix::process::getuid().as_raw(),
        sees_all_users: &|| linux::is_whole(&read("/proc/self/uid_map")),
        is_shared: &|| std::path::Path::new(linux::SHARED).exists(),
    }
    .answer(&read("/proc/net/tcp"), || read("/proc/net/tcp6"))
}

/// Not supported on this platform.
#[cfg(not(target_os = "linux"))]
pub fn peer(_: SocketAddrV4, _: SocketAddrV4) -> Peer {
    Peer::Unknown
}

#[cfg(target_os = "linux")]
mod linux {
    use std::net::SocketAddrV4;

    use super::Peer;

    /// The user that the kernel names instead of one that this user namespace does not know.
    const OVERFLOW: u32 = 65_534;

    /// Exists where WSL shares 127.0.0.1 with Windows (`networkingMode=mirrored`): the sockets of a browser there are not listed here.
    pub(super) const SHARED: &str = "/sys/class/net/loopback0";

    /// Who made a connection.
    pub(super) struct Question<'a> {
        pub(super) caller: SocketAddrV4,
        pub(super) here: SocketAddrV4,
        pub(super) me: u32,
        pub(super) sees_all_users: &'a dyn Fn() -> bool,
        pub(super) is_shared: &'a dyn Fn() -> bool,
    }

    impl Question<'_> {
        /// The answer of the table of IPv4 sockets, else that of the IPv6 ones: a program may use one for both, as Java
        /// does.
        pub(super) fn answer(&self, v4: &str, v6: impl FnOnce() -> String) -> Peer {
            let listener = socket(v4, &v4_hex(self.here), "00000000:0000");
            if listener.is_none_or(|(_, inode)| inode == 0) {
                return Peer::Unknown; // not even this process's own socket is told
            }
            let caller = socket(v4, &v4_hex(self.caller), &v4_hex(self.here))
                .or_else(|| socket(&v6(), &v6_hex(self.caller), &v6_hex(self.here)));
            match caller {
                None if (self.is_shared)() => Peer::Unknown,
                None | Some((_, 0)) => Peer::Stranger,
                Some((uid, _)) if uid == self.me || uid == 0 => Peer::Own,
                Some((OVERFLOW, _)) if !(self.sees_all_users)() => Peer::Unknown,
                Some(_) => Peer::Stranger,
            }
        }
    }

    /// The owner and the inode of a socket; inode 0 is one that no process has open.
    fn socket(table: &str, local: &str, remote: &str) -> Option<(u32, u64)> {
        table.lines().find_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            if fields.next()? != local || fields.next()? != remote {
                return None;
            }
            let uid = fields.nth(4)?.parse().ok()?;
            Some((uid, fields.nth(1)?.parse().ok()?))
        })
    }

    /// An address as the tables show it: in hexadecimal, each 32 bits in the machine's byte order.
    fn v4_hex(address: SocketAddrV4) -> String {
        let ip = u32::from_ne_bytes(address.ip().octets());
        format!("{ip:08X}:{:04X}", address.port())
    }

    /// The same, of a socket for both versions: `::ffff:127.0.0.1`.
    fn v6_hex(address: SocketAddrV4) -> String {
        let prefix = u32::from_ne_bytes([0, 0, 0xFF, 0xFF]);
        format!("0000000000000000{prefix:08X}{}", v4_hex(address))
    }

    /// Whether a user namespace knows every user (`user_namespaces(7)`).
    pub(super) fn is_whole(uid_map: &str) -> bool {
        uid_map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
    }

    #[cfg(test)]
    mod tests {
        use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

        use super::super::peer;
        use super::*;

        const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

        fn line(local: &str, remote: &str, uid: u32, inode: u64) -> String {
            format!(
                "   0: {local} {remote} 01 00000000:00000000 00:00000000 00000000 {uid:>5}        0 {inode} 1 0 20 4\n"
            )
        }

        fn answer(v4: &str, v6: &str, is_whole: bool) -> Peer {
            asked(v4, v6, is_whole, false)
        }

        fn asked(v4: &str, v6: &str, is_whole: bool, is_shared: bool) -> Peer {
            let question = Question {
                caller: "127.0.0.1:40000".parse().unwrap(),
                here: "127.0.0.1:8080".parse().unwrap(),
                me: 1000,
                sees_all_users: &|| is_whole,
                is_shared: &|| is_shared,
            };
            question.answer(v4, || v6.to_owned())
        }

        #[test]
        fn the_caller_is_told_by_the_tables() {
            let (caller, here) = ("0100007F:9C40", "0100007F:1F90");
            let listener = HEAD.to_owned() + &line(here, "00000000:0000", 1000, 7);
            // The other direction is this process's own end.
            let end = line(here, caller, 1000, 8);
            for (uid, inode, is_whole, expected) in [
                (1000, 9, true, Peer::Own),
                (0, 9, true, Peer::Own),
                (0, 0, true, Peer::Stranger),
                (1000, 0, true, Peer::Stranger),
                (1001, 9, true, Peer::Stranger),
                (65_534, 9, true, Peer::Stranger),
                (65_534, 9, false, Peer::Unknown),
            ] {
                let v4 = format!("{listener}{end}{}", line(caller, here, uid, inode));
                assert_eq!(answer(&v4, "", is_whole), expected, "{uid} {inode} {is_whole}");
                let mapped = |address: &str| format!("0000000000000000FFFF0000{address}");
                let v6 = HEAD.to_owned() + &line(&mapped(caller), &mapped(here), uid, inode);
                let v4 = format!("{listener}{end}");
                assert_eq!(answer(&v4, &v6, is_whole), expected, "IPv6: {uid} {inode}");
            }
            assert_eq!(answer(&listener, HEAD, true), Peer::Stranger, "it is gone already");
            assert_eq!(asked(&listener, HEAD, true, true), Peer::Unknown, "or it is of Windows");
            let stranger = format!("{listener}{}", line(caller, here, 1001, 9));
            assert_eq!(asked(&stranger, HEAD, true, true), Peer::Stranger);
            let caller = line(caller, here, 1001, 9);
            assert_eq!(answer(&format!("{HEAD}{caller}"), "", true), Peer::Unknown);
            let hidden = HEAD.to_owned() + &line(here, "00000000:0000", 1000, 0);
            assert_eq!(answer(&format!("{hidden}{caller}"), "", true), Peer::Unknown);
            assert_eq!(answer("", "", true), Peer::Unknown);
        }

        #[test]
        fn a_whole_namespace_is_told_from_a_part() {
            assert!(is_whole("         0          0 4294967295\n"));
            assert!(!is_whole("         0       1000          1\n"));
        }

        fn v4(address: SocketAddr) -> SocketAddrV4 {
            let SocketAddr::V4(address) = address else { panic!("{address}") };
            address
        }

        #[test]
        fn this_process_is_no_stranger_and_a_closed_socket_is_one() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let here = v4(listener.local_addr().unwrap());
            let one = TcpStream::connect(here).unwrap();
            let caller = v4(one.local_addr().unwrap());
            assert_eq!(peer(caller, here), Peer::Own);
            // Through a socket for both versions of IP.
            let mapped = (Ipv6Addr::from_bits(0xFFFF_7F00_0001), here.port());
            if let Ok(both) = TcpStream::connect(mapped) {
                let SocketAddr::V6(local) = both.local_addr().unwrap() else { panic!("not IPv6") };
                let caller = SocketAddrV4::new(Ipv4Addr::LOCALHOST, local.port());
                assert_eq!(peer(caller, here), Peer::Own);
            }
            drop(one);
            assert_eq!(peer(caller, here), Peer::Stranger);
        }
    }
}
