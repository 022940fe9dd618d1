"""callers - clients of a Gatepost on port 465 of this network: callers.py port-open|port-closed|send|hold GO DONE

`hold` logs in, begins mails, makes GO, connects again and again until DONE is there, and ends its mails. It fails where a
connection was refused, or a session that had logged in was lost.
"""

import os
import smtplib
import socket
import ssl
import sys
import threading
import time

TRUST = ssl._create_unverified_context()
ADDRESS = ("127.0.0.1", 465)
SESSIONS = 20
CALLERS = 4


def logged_in():
    session = smtplib.SMTP_SSL(*ADDRESS, context=TRUST, timeout=30)
    session.login("anna@example.org", "Birnbaum7Kirsche")
    return session


def send(session):
    code, text = session.mail("anna@example.org")
    assert code == 250, text
    finish(session)


def finish(session):
    code, text = session.rcpt("bert@example.org")
    assert code == 250, text
    code, text = session.data(b"Subject: whole\r\n\r\nwhole\r\n")
    assert code == 250, text
    session.quit()


def port_open():
    with socket.socket() as client:
        return client.connect_ex(ADDRESS) == 0


def until_sent():
    for _ in range(100):
        try:
            return send(logged_in())
        except (OSError, smtplib.SMTPException) as fault:
            last = fault
            time.sleep(0.3)
    raise last


def hold(go, done):
    held = []
    for _ in range(SESSIONS):
        session = logged_in()
        code, text = session.mail("anna@example.org")
        assert code == 250, text
        held.append(session)
    counts = {"greeted": 0, "cut off": 0, "refused": 0}
    over = threading.Event()

    def call():
        while not over.is_set():
            try:
                raw = socket.create_connection(ADDRESS, timeout=30)
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

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
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


match sys.argv[1]:
    case "port-open":
        assert port_open(), "nothing listens on port 465"
    case "port-closed":
        assert not port_open(), "port 465 is open"
    case "send":
        until_sent()
    case "hold":
        hold(sys.argv[2], sys.argv[3])
