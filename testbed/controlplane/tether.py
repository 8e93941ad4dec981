"""Becomes another program that the kernel kills when its parent dies, however that happens.

Run as a script: `python tether.py <pid of the parent> <program> [argument ...]`. It imports nothing of ours, because it
starts with every process of the testbed.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); the setting survives execve(2)


def main() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the call above; then nobody would ever tell us.
    if os.getppid() != int(sys.argv[1]):
        raise SystemExit("the process that started this one has died")
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        raise SystemExit(f"cannot run {sys.argv[2]}: {error}") from error


if __name__ == "__main__":
    main()
