"""terminal - runs a program on a terminal, types, and looks at the screen

    terminal.py COLUMNS LINES STEP... -- PROGRAM ARGUMENT...

A step is `see:TEXT` (waits until the text stands on a line of the screen), `type:TEXT`, or `mark:FILE` (makes the
file). Prints the last screen; the exit
code is the program's, or 99 with the screen when a text did not come within a minute.
Knows as much of a terminal as crossterm writes: text, the cursor's place, clearing.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios

split = sys.argv.index("--")
columns, lines = int(sys.argv[1]), int(sys.argv[2])
steps, command = sys.argv[3:split], sys.argv[split + 1 :]

CODE = re.compile(r"\x1b(\[([?>]?)([0-9;]*)([A-Za-z])|[()][A-Z0-9]|[=>78])")
screen = [[" "] * columns for _ in range(lines)]
row = column = 0


def draw(text):
    """Draws what is whole; returns the rest."""
    global row, column
    while text:
        if text[0] == "\x1b":
            code = CODE.match(text)
            if not code:
                return text
            numbers = [int(part or 1) for part in (code[3] or "1").split(";")]
            if code[4] in ("H", "f"):
                row, column = numbers[0] - 1, (numbers + [1])[1] - 1
            elif code[4] == "J":
                for line in screen:
                    line[:] = [" "] * columns
            text = text[code.end() :]
            continue
        letter, text = text[0], text[1:]
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
        elif letter >= " " and row < lines and column < columns:
            screen[row][column] = letter
            column += 1
    return ""


def shown():
    return "\n".join("".join(line).rstrip() for line in screen)


child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

rest, octets = "", b""


def read():
    """Draws what comes within a second; False at the end."""
    global rest, octets
    if not select.select([terminal], [], [], 1)[0]:
        return True
    try:
        more = os.read(terminal, 65536)
    except OSError:
        return False
    octets += more
    text = octets.decode("utf-8", errors="ignore")
    octets = b""
    rest = draw(rest + text)
    return bool(more)


for step in steps:
    kind, _, text = step.partition(":")
    if kind == "type":
        os.write(terminal, text.encode())
        continue
    if kind == "mark":
        open(text, "w").close()
        continue
    for _ in range(600):
        if text in shown() or not read():
            break
    if text not in shown():
        print(f"{text!r} did not come\n{shown()}")
        os.kill(child, 9)
        sys.exit(99)
while read():
    pass
print(shown())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
