"""A filter of system calls: no network, no other programs or processes, no signals to others, no back doors.

It needs no privilege, holds inside most containers, cannot be taken off again, and is inherited by threads. A refused
call fails with EPERM, which Python shows as PermissionError.
"""

import ctypes
import errno
import platform
import struct
from typing import Any

from autograder.sandbox import linux

# Names as in the kernel's tables; numbers for x86-64 and arm64 (None: that architecture has no such call).
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # the network, and rings through which calls pass that no filter sees
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    # other programs and processes
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    # memory that no limit of this process counts
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # namespaces, mounts, and the rest of the kernel
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
_ARCHITECTURES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}  # column, audit number, clone
_CLONE3, _CLONE_THREAD = 435, 0x00010000
_X32 = 0x40000000  # x86-64's second table of calls

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]


def program(machine: str) -> list[Instruction]:
    """The filter as (code, jump if true, jump if false, k); KeyError for a machine whose numbers are not listed."""
    column, audit, clone = _ARCHITECTURES[machine]
    refuse: Instruction = (_RETURN, 0, 0, _FAIL | errno.EPERM)
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        refuse,
    ]
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            lines += [(_JUMP_EQUAL, 0, 1, number), refuse]
    # clone3's flags lie in memory, where a filter cannot look: without it, the C library falls back to clone.
    lines += [(_JUMP_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _FAIL | errno.ENOSYS)]
    lines += [
        (_JUMP_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_SET, 1, 0, _CLONE_THREAD),
        refuse,
        (_RETURN, 0, 0, _ALLOW),
    ]
    return lines


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]


def supported() -> bool:
    """Whether this machine's call numbers are known here."""
    return linux.AVAILABLE and platform.machine() in _ARCHITECTURES


def install() -> None:
    """Filter this process from now on; OSError where the kernel refuses."""
    packed = b"".join(struct.pack("HBBI", *line) for line in program(platform.machine()))
    buffer: Any = ctypes.create_string_buffer(packed, len(packed))
    described = _Program(len(packed) // 8, ctypes.addressof(buffer))
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    PR_SET_SECCOMP, MODE_FILTER = 22, 2
    result = linux._libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), ctypes.byref(described), 0, 0)
    linux._check(result, "seccomp")
