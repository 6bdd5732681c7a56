"""Runs a program as in a container that forbids io_uring, by seccomp.

usage: confine.py ERRNO PROGRAM ARGUMENTS...

A classic BPF filter through prctl(2), no library: seccomp(2), PR_SET_SECCOMP.
"""

import ctypes
import os
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_SECCOMP_RET_ERRNO = 0x00050000
_SECCOMP_RET_ALLOW = 0x7FFF0000
_IO_URING_SETUP = 425  # the same number on every architecture
_BPF_LOAD_WORD, _BPF_JUMP_EQUAL, _BPF_RETURN = 0x20, 0x15, 0x06
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def deny_io_uring(errno_value):
    """For this process and its children, for good."""
    number_at, architecture_at = 0, 4  # in struct seccomp_data
    program = [
        (_BPF_LOAD_WORD, 0, 0, architecture_at),
        (_BPF_JUMP_EQUAL, 0, 3, _ARCHITECTURES[platform.machine()]),
        (_BPF_LOAD_WORD, 0, 0, number_at),
        (_BPF_JUMP_EQUAL, 0, 1, _IO_URING_SETUP),
        (_BPF_RETURN, 0, 0, _SECCOMP_RET_ERRNO | errno_value),
        (_BPF_RETURN, 0, 0, _SECCOMP_RET_ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(
        struct.pack("H6xP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                      (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {arguments[0]}")


if __name__ == "__main__":
    deny_io_uring(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
