#!/bin/busybox sh
# The first process of the emulated machine that boot.sh boots: runs every step, says how each ended, and turns the machine off.
# What is different on 6.1: rung A of the ring is not known there and B is taken, accepting is one by one, and io_uring has no sysctl
# that turns it off; a seccomp filter takes its place.

DEMO_MIB=8 # each way; an emulated processor is slow

/bin/busybox --install -s /bin
export PATH=/bin RUST_BACKTRACE=1
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
ip link set lo up

passed=0
failed=0

# step SUBJECT COMMAND [ARGUMENT ...]
step() {
    subject=$1
    shift
    echo "=== $subject"
    begin=$(date +%s)
    if "$@"; then
        passed=$((passed + 1))
        echo "=== passed: $subject, $(($(date +%s) - begin)) s"
    else
        echo "=== FAILED: $subject, exit code $?"
        failed=$((failed + 1))
    fi
}

# demo ENGINE [WRAPPER]: all 14 steps through a gateway that chooses its engine itself, and must have chosen this one.
demo() {
    rm -rf /tmp/demo
    # Not straight to the console, where it would draw.
    $2 /bin/sluicectl demo --once --mib "$DEMO_MIB" --gateway /bin/sluicegate --dir /tmp/demo >/tmp/demo.out
    code=$?
    cat /tmp/demo.out
    grep -E 'engine=|io_uring' /tmp/demo/gateway.log
    [ $code = 0 ] && grep -qF "engine=\"$1\"" /tmp/demo/gateway.log
}

step "this is a kernel 6.1" sh -c 'uname -a && uname -r | grep -q "^6\.1\."'
step "it has no sysctl that turns io_uring off" test ! -e /proc/sys/kernel/io_uring_disabled
# One at a time: there is one processor, and the deadlines of tests are for machines that are not emulated.
step "set-up of the ring, rung by rung, and what is beside the engines' code" sluice_engine --test-threads 1
step "conformance of both engines" conformance --test-threads 1
step "denied rings" denied --test-threads 1
step "nothing from the heap" alloc --test-threads 1
step "workers with both engines" workers --test-threads 1
# As udev does where there is such a processor. The other ciphers come when they are asked for.
modprobe aesni-intel
modprobe tls
step "TLS in the kernel" env SLUICE_KERNEL_TLS=1 kernel_tls --test-threads 1 --nocapture
step "keys in the kernel, with both engines" env SLUICE_KERNEL_TLS=1 conformance kernel --test-threads 1 --nocapture
step "the demo takes rung B" demo "io_uring (deferred)"
step "the demo takes mio where rings are denied" demo "mio (epoll)" /bin/deny_rings

echo "old kernel: $passed steps passed, $failed failed"
poweroff -f
