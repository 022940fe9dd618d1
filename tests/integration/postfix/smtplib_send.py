"""Sends the mail on standard input with Python's smtplib.

Arguments: implicit or starttls, port, root certificate, mechanism, user, password, recipient.
SCRAM is done here (RFC 5802), on smtplib's own exchange: it has none.
"""
import base64
import hashlib
import hmac
import os
import smtplib
import ssl
import sys

start, port, root, mechanism, user, password, recipient = sys.argv[1:]


def scram(algorithm):
    """What answers each challenge, as `SMTP.auth` asks for it."""
    nonce = base64.b64encode(os.urandom(18)).decode()
    first_bare = f"n={user},r={nonce}"
    expected = []

    def answer(challenge=None):
        if challenge is None:
            return "n,," + first_bare
        text = challenge.decode()
        if text.startswith("v="):
            if base64.b64decode(text[2:]) != expected[0]:
                raise SystemExit("the server's signature is wrong")
            return ""
        fields = dict(field.split("=", 1) for field in text.split(","))
        assert fields["r"].startswith(nonce)
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        stored_key = hashlib.new(algorithm, client_key).digest()
        bare = f"c=biws,r={fields['r']}"
        signed = f"{first_bare},{text},{bare}".encode()
        signature = hmac.digest(stored_key, signed, algorithm)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        server_key = hmac.digest(salted, b"Server Key", algorithm)
        expected.append(hmac.digest(server_key, signed, algorithm))
        return f"{bare},p={base64.b64encode(proof).decode()}"

    return answer


context = ssl.create_default_context(cafile=root)
source = ("127.11.0.4", 0)
if start == "implicit":
    server = smtplib.SMTP_SSL(
        "127.0.0.1", int(port), "laptop", context=context, source_address=source, timeout=60
    )
else:
    server = smtplib.SMTP("127.0.0.1", int(port), "laptop", source_address=source, timeout=60)
    server.starttls(context=context)
server.ehlo()
server.user, server.password = user, password
exchanges = {
    "PLAIN": server.auth_plain,
    "LOGIN": server.auth_login,
    "CRAM-MD5": server.auth_cram_md5,
    "SCRAM-SHA-1": scram("sha1"),
    "SCRAM-SHA-256": scram("sha256"),
}
server.auth(mechanism, exchanges[mechanism])
server.sendmail(user, [recipient], sys.stdin.buffer.read().decode("ascii"))
server.quit()
