"""label - the JA4 label of a ClientHello, computed a second time and in another way than Gatepost does

Reads the message of a ClientHello (without the heads of records) from standard input, and prints its label.
FoxIO, "JA4: TLS Client Fingerprinting".
"""

import hashlib
import string
import sys

VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
GREASE = {0x0A0A + 0x1010 * step for step in range(16)}
PLAIN = (string.ascii_letters + string.digits).encode()


def numbers(octets):
    """The numbers of two octets, without those of GREASE."""
    pairs = [octets[at : at + 2] for at in range(0, len(octets), 2)]
    return [number for number in (int.from_bytes(pair, "big") for pair in pairs) if number not in GREASE]


def digits(some):
    return ",".join(f"{number:04x}" for number in some)


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def extensions(octets):
    """The contents of the extensions by their numbers."""
    found = {}
    while octets:
        kind, length = int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:4], "big")
        found[kind] = octets[4 : 4 + length]
        octets = octets[4 + length :]
    return {kind: content for kind, content in found.items() if kind not in GREASE}


def protocol(offered):
    """Two characters for the first protocol of ALPN."""
    content = offered.get(16, b"")
    first = content[3 : 3 + content[2]] if len(content) > 2 else b""
    if not first:
        return "00"
    shown = first.decode("latin1") if first[0] in PLAIN and first[-1] in PLAIN else first.hex()
    return shown[0] + shown[-1]


def label(message):
    version, rest = int.from_bytes(message[4:6], "big"), message[38:]
    rest = rest[1 + rest[0] :]
    end = 2 + int.from_bytes(rest[:2], "big")
    suites, rest = numbers(rest[2:end]), rest[end:]
    rest = rest[1 + rest[0] :]
    offered = extensions(rest[2:])
    if 43 in offered:
        version = max(numbers(offered[43][1:]), default=0)
    counts = "".join(f"{min(len(some), 99):02}" for some in (suites, offered))
    name = "d" if 0 in offered else "i"
    kinds = digits(sorted(set(offered) - {0, 16}))
    schemes = digits(numbers(offered.get(13, b"")[2:]))
    both = f"{kinds}_{schemes}" if schemes else kinds
    first = f"t{VERSIONS.get(version, '00')}{name}{counts}{protocol(offered)}"
    return f"{first}_{hashed(digits(sorted(suites)))}_{hashed(both)}"


if __name__ == "__main__":
    print(label(sys.stdin.buffer.read()))
