"""Becomes another program that the kernel kills when its parent ends: `python tether.py PARENT COMMAND…`.

An Envoy that outlives a killed gateway would hold the port and serve what nobody updates. The tether is to
the thread that started it, so that thread has to live as long as the gateway: the one of its event loop.

Run as a file, not as a module: nothing is imported that makes a start slow.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Exits with 126, as a shell does, where it cannot become the program, and 1 without a parent."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit(1)  # it ended before it could be watched
    try:
        os.execv(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(126)


if __name__ == "__main__":
    main()
