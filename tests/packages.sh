#!/bin/sh
# Installs the Debian packages that a make target needs, and says which. Usage: tests/packages.sh demo|test|old-kernel
set -eu
case "$1" in
demo) wanted="gcc libc6-dev make ca-certificates" ;;
test) wanted="gcc libc6-dev make ca-certificates iproute2 procps openssl curl socat ncat nmap haproxy prometheus slapd ldap-utils freeradius oathtool libnginx-mod-stream nginx-light hitch stunnel4 valgrind desktop-file-utils mandoc xdg-utils chromium libnss3-tools xvfb xdotool x11-utils zenity kdialog" ;;
# The kernel itself is not installed: tests/old-kernel/boot.sh unpacks it.
old-kernel) wanted="gcc libc6-dev make ca-certificates openssl binutils qemu-system-x86 busybox-static" ;;
*) echo "usage: $0 demo|test|old-kernel" >&2; exit 2 ;;
esac
missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "installing Debian packages:$missing"
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
# Debian starts some of them as services; the tests start their own, on ports of their own.
for service in haproxy prometheus slapd freeradius nginx hitch stunnel4; do
    command -v systemctl >/dev/null 2>&1 && $sudo systemctl disable --now "$service" >/dev/null 2>&1 || true
done
