//! What each tier does not enforce, one sentence each: it stands in the record's coverage rows.

/// What cgroup programs alone do not stop.
pub const NOT_IN_T1: [&str; 4] = [
    "socket families that are not IPv4 or IPv6 (vsock, packet and others): only the jail of `weir run` refuses them",
    "Unix sockets of privileged services (Docker, systemd): what they start is not bound",
    "sockets that an unbound process passes in: they belong to the cgroup in which they were made",
    "unbound processes of the same user, root outside the cgroup, and kernel exploits",
];

/// What LSM programs do not stop either.
pub const NOT_IN_T3: [&str; 4] = [
    "Unix connections that the agent was started with, and services of `gateway.unix_sockets`, which act for whoever asks",
    "what unbound processes of the same user do to help: files they pass on or run later",
    "before Linux 6.8, sockets in the descriptor of an io_uring that is passed in",
    "root outside the cgroup, signals by F_SETOWN, what CAP_NET_ADMIN may set by route netlink, and kernel exploits",
];

/// Without eBPF.
pub const NOT_IN_EXPLICIT: [&str; 1] =
    ["explicit mode enforces nothing: agents can go around Weir"];
