"""callers - clients of a mail server in this network namespace: callers.py WHAT ...

port-open PORT, port-closed PORT
send FROM            logs in and sends a mail, from an address of this network
submit FROM          the same on port 587, where TLS begins after STARTTLS
beside FROM PORT USER  the same as this user at another port of Postfix's
guess FROM           guesses until it is refused; prints the session's id that the refusal has
hold GO DONE         logs in, begins mails, makes GO, connects again and again until DONE is there, and ends its mails. It fails
                     where a connection was refused, or a session that had logged in was lost
"""

import os
import re
import smtplib
import socket
import ssl
import sys
import threading
import time

TRUST = ssl._create_unverified_context()
SERVER = ("198.51.100.1", 465)
SESSIONS = 20
CALLERS = 4
USER, PASSWORD = "anna@example.org", "Birnbaum7Kirsche"


def connect(source):
    return smtplib.SMTP_SSL(*SERVER, context=TRUST, timeout=30, source_address=(source, 0))


def logged_in(source):
    session = connect(source)
    session.login(USER, PASSWORD)
    return session


def begin(session):
    code, text = session.mail(USER)
    assert code == 250, text


def finish(session):
    code, text = session.rcpt("bert@example.org")
    assert code == 250, text
    code, text = session.data(b"Subject: whole\r\n\r\nwhole\r\n")
    assert code == 250, text
    session.quit()


def port_open(port):
    with socket.socket() as client:
        return client.connect_ex((SERVER[0], port)) == 0


def submitting(source, port=587, user=USER):
    session = smtplib.SMTP(SERVER[0], port, timeout=30, source_address=(source, 0))
    session.starttls(context=TRUST)
    session.login(user, PASSWORD)
    return session


def until_sent(log_in):
    for _ in range(100):
        try:
            session = log_in()
            begin(session)
            return finish(session)
        except (OSError, smtplib.SMTPException) as fault:
            last = fault
            time.sleep(0.3)
    raise last


def guess(source):
    for number in range(40):
        try:
            connect(source).login(USER, f"Guess{number}of40many")
        except smtplib.SMTPAuthenticationError as refusal:
            code, text = refusal.smtp_code, refusal.smtp_error.decode()
        except smtplib.SMTPConnectError as refusal:
            code, text = refusal.smtp_code, refusal.smtp_error.decode()
        else:
            raise AssertionError("a wrong password is accepted")
        session = re.search(r"\b(G[0-9A-Z]{8})\b", text)
        if code != 535 and session:
            return session[1]
    raise AssertionError(f"forty guesses, and the last answer is {code} {text}")


def hold(go, done):
    held = []
    for number in range(SESSIONS):
        session = logged_in(f"203.0.113.{10 + number % 4}")
        begin(session)
        held.append(session)
    counts = {"greeted": 0, "cut off": 0, "refused": 0}
    over = threading.Event()

    def call():
        while not over.is_set():
            try:
                raw = socket.create_connection(SERVER, timeout=30)
            except OSError:
                counts["refused"] += 1
                continue
            try:
                with TRUST.wrap_socket(raw) as client:
                    counts["greeted" if client.recv(3) else "cut off"] += 1
            except OSError:
                counts["cut off"] += 1
            # Below the rate at which one client's connections are refused.
            time.sleep(0.3 * CALLERS)

    callers = [threading.Thread(target=call, daemon=True) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    open(go, "w").close()
    while not os.path.exists(done):
        time.sleep(0.1)
    over.set()
    for caller in callers:
        caller.join()
    for session in held:
        finish(session)
    print(f"   {SESSIONS} sessions held, 0 lost; connections: {counts}")
    assert counts["refused"] == 0 and counts["greeted"] > 0, counts
    assert counts["cut off"] <= 2 * CALLERS, counts


what, *rest = sys.argv[1:]
match what:
    case "port-open":
        assert port_open(int(rest[0])), f"nothing listens on port {rest[0]}"
    case "port-closed":
        assert not port_open(int(rest[0])), f"port {rest[0]} is open"
    case "send":
        until_sent(lambda: logged_in(rest[0]))
    case "submit":
        until_sent(lambda: submitting(rest[0]))
    case "beside":
        until_sent(lambda: submitting(rest[0], int(rest[1]), rest[2]))
    case "guess":
        print(guess(rest[0]))
    case "hold":
        hold(*rest)
    case _:
        raise SystemExit(__doc__)
