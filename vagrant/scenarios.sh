#!/bin/sh
# The scenarios, on the machine's own kernel; as root. Prints each with how it ended.
set -u
HOME=$(getent passwd 0 | cut -d: -f6)
export HOME PATH="$HOME/.cargo/bin:$PATH" CARGO_TARGET_DIR=/var/tmp/weir-target
cd /weir || exit 1
failed=0

scenario() {
    name=$1
    shift
    echo "== $name"
    if "$@"; then
        echo "== $name: ok"
    else
        echo "== $name: FAILED"
        failed=1
    fi
}

echo "== $(uname -r), lsm $(cat /sys/kernel/security/lsm)"
scenario "build" cargo build --locked --package weir
scenario "bind by run" cargo test --locked --package weir --test run
scenario "escapes, cgroup programs" cargo test --locked --package weir --test intercept
scenario "escapes, LSM programs" cargo test --locked --package weir --test lsm
scenario "kill -9 of the gateway under load" python3 vagrant/kill-under-load.py /var/tmp/weir-target/debug/weir
scenario "weir doctor tells the tier" python3 vagrant/doctor-tells.py /var/tmp/weir-target/debug/weir
exit $failed
