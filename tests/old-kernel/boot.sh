#!/bin/sh
# Boots Debian 12's own kernel 6.1 in an emulated machine and lets init.sh run our programs there. Usage: tests/old-kernel/boot.sh
#
#   cargo ──► programs ─┐
#   ldd ───► libraries ─┼─► initramfs ─┐
#   apt ──► package ──► modules ───────┤
#                 └───► kernel ────────┴─► qemu, software emulation ──► serial console ──► log ──► verdict
#
# The kernel is downloaded and unpacked, never installed. Everything made is in target/old-kernel. Without KVM on purpose: it runs on any
# machine, and the same on each. The emulated clock counts instructions, a nanosecond each: a busy machine makes no deadline pass there, and
# what a time says is how many instructions something took, the kernel's included. So that a copy counts as what it costs, more or less, and
# not an instruction for each byte, the processor says that it has no fast string operations.
set -eu
cd "$(dirname "$0")/../.."

MINUTES_MAX=30  # for the whole run of the emulated machine
MEMORY_MIB=2048 # of which the initramfs takes some 150

target=${CARGO_TARGET_DIR:-target}
here=$target/old-kernel
root=$here/root
log=$here/log
mkdir -p "$here"

# The kernel that the distribution ships today. A package that is here already is not loaded again.
package=$(apt-cache depends linux-image-amd64 | sed -n 's/ *Depends: \(linux-image-6\.1\..*\)/\1/p')
[ -n "$package" ] || { echo "no linux-image-6.1 in the package lists; apt-get update, on Debian 12" >&2; exit 2; }
(cd "$here" && ls "$package"_*.deb >/dev/null 2>&1 || apt-get download -qq "$package")
rm -rf "$here/kernel" "$root"
dpkg-deb -x "$here/$package"_*.deb "$here/kernel"

mkdir -p "$root/bin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run"
cp tests/old-kernel/init.sh "$root/init"
cp /bin/busybox "$root/bin/"
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo '127.0.0.1 localhost' >"$root/etc/hosts"

# Programs without what only a debugger reads, under the names by which init.sh calls them.
put() { strip -o "$root/bin/$2" "$1"; }
# Optimised: what they count is compared with the kernel, which is.
made() { cargo "$@" -q --config profile.dev.opt-level=3 --message-format=json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'; }
made build -p gate-daemon -p gate-cli -p bench-load >"$here/programs"
while read -r program; do
    put "$program" "${program##*/}"
done <"$here/programs"
{ made test --no-run -p sluice-engine; made test --no-run -p sluice-worker --test workers; made test --no-run -p gate-daemon --test gateway; } >"$here/tests"
grep '/deps/' "$here/tests" | while read -r program; do
    name=${program##*/}
    put "$program" "${name%-*}"
done
cc -static -O1 -o "$root/bin/deny_rings" tests/gateway/deny_rings.c
cp "$(command -v openssl)" "$root/bin/"

# TLS and ciphers. The kernel looks for ciphers by itself, by the name /sbin/modprobe.
modules=$(cd "$here/kernel" && echo lib/modules/*)
for folder in crypto arch/x86/crypto lib/crypto net/tls; do
    mkdir -p "$root/$modules/kernel/$folder"
    cp -r "$here/kernel/$modules/kernel/$folder/." "$root/$modules/kernel/$folder"
done
cp "$here/kernel/$modules"/modules.builtin "$here/kernel/$modules"/modules.order "$root/$modules"
busybox depmod -b "$root" "${modules##*/}"
ln -s bin "$root/sbin"

# Libraries of the programs, where their loader looks for them.
for program in "$root"/bin/*; do ldd "$program" 2>/dev/null || true; done | grep -o '/[^ ]*' | sort -u >"$here/libraries"
while read -r library; do
    install -D "$library" "$root$library"
done <"$here/libraries"

(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$here/initramfs"

echo "booting $package; what it says is kept in $log"
timeout --kill-after=10 "${MINUTES_MAX}m" qemu-system-x86_64 -accel tcg -icount shift=0 -cpu max,-erms,-fsrm -smp 1 -m "$MEMORY_MIB" \
    -kernel "$here"/kernel/boot/vmlinuz-6.1.* -initrd "$here/initramfs" -append "console=ttyS0 quiet panic=-1" \
    -no-user-config -nodefaults -display none -serial stdio -no-reboot </dev/null | tr -d '\r' | tee "$log"
# A machine that hangs, panics or is cut off says no such line.
grep -q '^old kernel: [1-9][0-9]* steps passed, 0 failed$' "$log" && exit 0
echo "old kernel: not passed; read $log" >&2
exit 1
