#!/bin/sh
# Installs what building Weir and running its eBPF suites need, on Debian, Ubuntu and Fedora; as root.
set -eu

if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends \
        gcc libc6-dev libclang-dev make pkg-config curl ca-certificates iproute2 util-linux python3
elif command -v dnf >/dev/null; then
    dnf install -y gcc clang-devel make pkgconf-pkg-config curl iproute util-linux python3
else
    echo "neither apt-get nor dnf is here" >&2
    exit 1
fi

HOME=$(getent passwd 0 | cut -d: -f6)
export HOME
if [ ! -x "$HOME/.cargo/bin/cargo" ]; then
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
fi

# A kernel that has BPF LSM built in and not in its list is told to use it, from the next boot on.
list=$(cat /sys/kernel/security/lsm)
case ",$list," in
*,bpf,*) ;;
*)
    if command -v grubby >/dev/null; then
        grubby --update-kernel=ALL --args="lsm=$list,bpf"
    else
        echo "GRUB_CMDLINE_LINUX=\"\$GRUB_CMDLINE_LINUX lsm=$list,bpf\"" >/etc/default/grub.d/weir.cfg
        update-grub
    fi
    echo "bpf is added to lsm=: vagrant reload $(hostname) --provision" >&2
    ;;
esac
