#!/bin/busybox sh
# The first process of the emulated machine that boot.sh boots: runs every step, says how each ended, and turns the machine off.
# What is different on 6.1: rung A of the ring is not known there and B is taken, accepting is one by one, and io_uring has no sysctl
# that turns it off; a seccomp filter takes its place.

DEMO_MIB=8       # each way; an emulated processor is slow
COST_SECONDS=0.4 # of each figure

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

# demo ENGINE WRAPPER [ARGUMENT ...]: all 14 steps through a gateway that chooses its engine itself, and must have chosen this one.
demo() {
    engine=$1
    wrapper=$2
    shift 2
    rm -rf /tmp/demo
    # Not straight to the console, where it would draw.
    $wrapper /bin/sluicectl demo --once --mib "$DEMO_MIB" --gateway /bin/sluicegate --dir /tmp/demo "$@" >/tmp/demo.out
    code=$?
    cat /tmp/demo.out
    grep -E 'engine=|io_uring|kernel' /tmp/demo/gateway.log
    [ $code = 0 ] && grep -qF "engine=\"$engine\"" /tmp/demo/gateway.log
}

# kernel_demo ENGINE WRAPPER: the same with both keys of the session in the kernel, which the gateway has counted.
kernel_demo() {
    demo "$@" --record-engine KERNEL && grep -q 'sealed for 1, opened for 1 sessions; 0 keys not taken' /tmp/demo.out
}

# load MODE [ARGUMENT ...]: processor time of the gateway of cost() for each GiB or message. Not to the console, where it would draw.
load() {
    mode=$1
    shift
    sluice-load "$mode" --target "$target" --any-certificate --sta "$sta" --host "$sink" --pid "$gateway" --warm-up 0.1 "$@" 2>/tmp/cost/load |
        sed -n 's/^CPU per [A-Za-z]* *//p'
}

# cost: what a GiB and a message cost the gateway, its system calls included, with each record engine in turn. The clock counts instructions,
# so that 1 s is 1e9 of them. Certificate and key are those of the last demo.
cost() {
    mkdir /tmp/cost
    cp /tmp/demo/server.pem /tmp/demo/server.key /tmp/cost
    cat >/tmp/cost/ns.conf <<'END'
enable ns feature SSLVPN AAA
set ns config -innerSocket /tmp/cost/inner.sock -controlSocket /tmp/cost/control.sock
set ns worker -count 1
add ssl certKey gw -cert server.pem -key server.key
add vpn vserver gw SSL 127.0.0.1 0 -vserverFqdn localhost
bind ssl vserver gw -certkeyName gw
add farm server inside 127.0.0.1 0
bind vpn vserver gw -staServer http://127.0.0.1:0
add vpn allowedHost sink 127.0.0.1 -port 1-65535 -allowLoopback YES
END
    sluice-load sink >/tmp/cost/sink &
    sink_pid=$!
    sluicegate run /tmp/cost/ns.conf --ready-file /tmp/cost/ready >/tmp/cost/log 2>&1 &
    gateway=$!
    # Both say where they are as soon as they are there; a deadline for when they do not come.
    tries=200
    until [ -s /tmp/cost/ready ] && [ -s /tmp/cost/sink ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { cat /tmp/cost/log; return 1; }
        usleep 50000
    done
    sink=$(sed 's/.* //' /tmp/cost/sink)
    target=$(sed 's/.*"listeners":\[{"address":"\([^"]*\)".*/\1/' /tmp/cost/ready)
    sta=$(sed 's/.*"farm":\[{"address":"\([^"]*\)".*/\1/' /tmp/cost/ready)
    for records in OWN KERNEL_TX KERNEL_RX KERNEL; do
        sluicectl --socket /tmp/cost/control.sock set ssl vserver gw -recordEngine "$records" || return 1
        down=$(load bulk --direction down --connections 2 --seconds "$COST_SECONDS")
        up=$(load bulk --direction up --connections 2 --seconds "$COST_SECONDS")
        echo=$(load echo --size 64 --connections 1 --seconds "$COST_SECONDS")
        echo "cost: $records: down $down/GiB, up $up/GiB, a message of 64 bytes there and back $echo"
        [ -n "$down" ] && [ -n "$up" ] && [ -n "$echo" ] || { cat /tmp/cost/load /tmp/cost/log; return 1; }
    done
    sluicectl --socket /tmp/cost/control.sock stat ssl >/tmp/cost/stat
    kill "$gateway" "$sink_pid"
    grep -i kernel /tmp/cost/stat
    # Five sessions for each engine: two of these have the kernel seal, and two have it open.
    grep -q 'Kernel sealing: 10$' /tmp/cost/stat && grep -q 'Kernel opening: 10$' /tmp/cost/stat
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
step "the demo takes rung B" demo "io_uring (deferred)" ""
step "the demo takes mio where rings are denied" demo "mio (epoll)" /bin/deny_rings
step "the demo with the kernel's TLS, through the ring" kernel_demo "io_uring (deferred)" ""
step "the demo with the kernel's TLS, through mio" kernel_demo "mio (epoll)" /bin/deny_rings
# From outside, through the same gateway. Two hundred sessions at once are too many for this machine's clock.
step "promises, with the kernel's TLS, to rustls and to openssl" env SLUICE_BINARY=/bin/sluicegate gateway kernel --test-threads 1 --skip two_hundred
step "what the kernel's TLS costs" cost

echo "old kernel: $passed steps passed, $failed failed"
poweroff -f
