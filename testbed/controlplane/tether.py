"""Becomes another program that the kernel kills when its parent dies, however that happens.

Run as a script: `python tether.py <pid of the parent> <root> <user id> <program> [argument ...]`, `-` for a root or
user that stays as it is. It imports nothing of ours, because it starts with every process of the testbed.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); the setting survives execve(2)


def main() -> None:
    parent, root, user, *command = sys.argv[1:]
    if root != "-":
        os.chroot(root)
        os.chdir("/")
    if user != "-":
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    # After the change of user, because that clears the setting; before looking at the parent, which may have died
    # already and will then never be reported.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        raise SystemExit("the process that started this one has died")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise SystemExit(f"cannot run {command[0]}: {error}") from error


if __name__ == "__main__":
    main()
