"""manager - what systemd does for gatepost.service with gatepost.socket: manager.py ADDRESS,... PROGRAM ARGUMENT...

Listens, passes the sockets on from descriptor 3 (sd_listen_fds(3)), and starts the program. SIGUSR1 restarts it: SIGTERM,
and the next one as soon as the main process has ended, whatever children that has left (KillMode=process).
SIGHUP is passed on. SIGTERM ends it. A main process that ends by itself ends the manager with its code.
"""

import os
import signal
import socket
import sys


def listening(address):
    host, port = address.rsplit(":", 1)
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((host, int(port)))
    listener.listen(4096)
    return listener


def start(sockets, command):
    child = os.fork()
    if child:
        return child
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # Copies beyond the last that is passed, so that none is overwritten.
    copies = [os.dup2(one.fileno(), 100 + number) for number, one in enumerate(sockets)]
    for number, copy in enumerate(copies):
        os.dup2(copy, 3 + number)
        os.close(copy)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(sockets))
    os.environ["LISTEN_FDNAMES"] = ":".join(f"socket{number}" for number in range(len(sockets)))
    os.execvp(command[0], command)


def main():
    awaited = {signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    sockets = [listening(address) for address in sys.argv[1].split(",")]
    command = sys.argv[2:]
    child = start(sockets, command)
    while True:
        asked = signal.sigwait(awaited)
        if asked == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended == child:
                return os.waitstatus_to_exitcode(status)
            continue
        if asked == signal.SIGHUP:
            os.kill(child, signal.SIGHUP)
            continue
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            return 1
        if asked == signal.SIGTERM:
            return 0
        child = start(sockets, command)


sys.exit(main())
