#!/bin/sh
# nftables-bans.sh - plays config/nftables-bans, its first argument, in this network namespace, with the bans of standard input
#
# Says which addresses reach which port afterwards.
set -eu
ip link set lo up
for address in 198.51.100.7 198.51.100.8 2001:db8:5::9 2001:db8:6::9; do
    ip addr add "$address" dev lo
done
bans=$(cat)
# Twice: a timer does it again and again.
for _ in 1 2; do
    printf '%s\n' "$bans" | sh "$1" | nft -f -
done
python3 - <<'P'
import socket
v4, v6 = socket.AF_INET, socket.AF_INET6
listening = []
for family, host, port in [(v4, "127.0.0.1", 143), (v4, "127.0.0.1", 465), (v6, "::1", 143)]:
    listener = socket.socket(family)
    listener.bind((host, port))
    listener.listen()
    listening.append(listener)
for family, source, to, port in [
    (v4, "198.51.100.7", "127.0.0.1", 143),
    (v4, "198.51.100.7", "127.0.0.1", 465),
    (v4, "198.51.100.8", "127.0.0.1", 143),
    (v6, "2001:db8:5::9", "::1", 143),
    (v6, "2001:db8:6::9", "::1", 143),
]:
    client = socket.socket(family)
    client.settimeout(2)
    client.bind((source, 0))
    try:
        client.connect((to, port))
        print(source, port, "open")
    except OSError:
        print(source, port, "shut")
P
before=$(nft list ruleset)
if sh "$1" </dev/null 2>/dev/null | nft -f - && [ "$(nft list ruleset)" = "$before" ]; then
    echo "without a list: unchanged"
fi
