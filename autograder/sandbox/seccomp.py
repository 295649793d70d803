"""A filter of system calls, by an allow-list: what Python and NumPy compute with, and nothing else.

No network, no other programs or processes, no signals to others, no change of another file's mode or times, no limit of
another process. The filter needs no privilege, holds inside most containers, cannot be removed again, and is inherited
by threads. A refused call fails with EPERM, which Python shows as PermissionError.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Sequence
from typing import Any

from autograder.sandbox import linux

# Names and numbers as in the kernel's tables, for x86-64 and arm64 (None: that architecture has no such call).
# fmt: off
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # files; the jail or Landlock says which
    "read": (0, 63), "write": (1, 64), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65),
    "writev": (20, 66), "preadv": (295, 69), "pwritev": (296, 70), "preadv2": (327, 286), "pwritev2": (328, 287),
    "close": (3, 57), "close_range": (436, 436), "lseek": (8, 62),
    # what files are like
    "stat": (4, None), "lstat": (6, None), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents": (78, None), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49),
    "fchdir": (81, 50), "statfs": (137, 43), "fstatfs": (138, 44),
    # descriptors, and waiting for them
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22), "eventfd2": (290, 19),
    "flock": (73, 32),
    # names, of the scratch folder's files
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "ftruncate": (77, 46),
    "fallocate": (285, 47), "fsync": (74, 82), "fdatasync": (75, 83), "fadvise64": (221, 223),
    "copy_file_range": (326, 285), "sendfile": (40, 71), "umask": (95, 166),
    # memory
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "msync": (26, 227),
    # threads
    "futex": (202, 98), "futex_waitv": (449, 449), "set_robust_list": (273, 99), "rseq": (334, 293),
    "set_tid_address": (218, 96), "membarrier": (324, 283), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "getcpu": (309, 168), "getpriority": (140, 141), "exit": (60, 93), "exit_group": (231, 94),
    "restart_syscall": (219, 128),
    # its own signals and timers
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133), "rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132), "alarm": (37, None),
    "pause": (34, None), "setitimer": (38, 103), "getitimer": (36, 102),
    # children, of which it has none
    "wait4": (61, 260), "waitid": (247, 95),
    # the clock
    "gettimeofday": (96, 169), "time": (201, None), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "times": (100, 153), "getrusage": (98, 165),
    # what it is
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getpgrp": (111, None), "getpgid": (121, 155),
    "getsid": (124, 156), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getresuid": (118, 148), "getresgid": (120, 150), "getgroups": (115, 158), "getrandom": (318, 278),
    "uname": (63, 160), "sysinfo": (99, 179),
    # its own limits
    "getrlimit": (97, 163), "setrlimit": (160, 164), "arch_prctl": (158, None),
}
# fmt: on
_FCNTL, _IOCTL, _PRCTL, _PRLIMIT = (72, 25), (16, 29), (157, 167), (302, 261)
_OPEN, _OPENAT, _CLONE, _CLONE3 = (2, None), (257, 56), (56, 220), (435, 435)

# fcntl: duplicates, flags and locks. Not F_SETOWN, F_SETOWN_EX and F_SETSIG, by which the kernel signals a stranger.
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
_IOCTL_COMMANDS = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, close on exec
_PRCTL_OPTIONS = (3, 15, 16, 23, 39, 0x53564D41)  # what it is, and names of threads and memory
_THREAD = 0x00010000  # CLONE_THREAD
_TRUNCATE, _WRITABLE = 0x200, 0x3  # O_TRUNC; O_WRONLY | O_RDWR: older versions of Landlock let a reader truncate
_FIRST_UNKNOWN = 450  # later calls look missing, as on an older kernel, so that the C library uses those it replaced

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, audit number
_X32 = 0x40000000  # x86-64's second table of calls

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]


def program(machine: str) -> list[Instruction]:
    """The filter as (code, jump if true, jump if false, k); KeyError for a machine whose numbers are not listed."""
    column, audit = _ARCHITECTURES[machine]
    allow: Instruction = (_RETURN, 0, 0, _ALLOW)
    refuse: Instruction = (_RETURN, 0, 0, _FAIL | errno.EPERM)
    missing: Instruction = (_RETURN, 0, 0, _FAIL | errno.ENOSYS)
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        refuse,
    ]
    for numbers in _ALLOWED.values():
        number = numbers[column]
        if number is not None:
            lines += [(_JUMP_EQUAL, 0, 1, number), allow]

    def when(call: tuple[int | None, int | None], body: list[Instruction]) -> None:
        if call[column] is not None:
            lines.extend([(_JUMP_EQUAL, 0, len(body), call[column] or 0), *body])

    def one_of(argument: int, values: Sequence[int]) -> list[Instruction]:
        load = (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)
        tests = [line for value in values for line in ((_JUMP_EQUAL, 0, 1, value), allow)]
        return [load, *tests, refuse]

    def no_truncating_reader(argument: int) -> list[Instruction]:
        load = (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)
        return [load, (_JUMP_SET, 1, 0, _TRUNCATE), allow, (_JUMP_SET, 0, 1, _WRITABLE), allow, refuse]

    when(_FCNTL, one_of(1, _FCNTL_COMMANDS))
    when(_IOCTL, one_of(1, _IOCTL_COMMANDS))
    when(_PRCTL, one_of(0, _PRCTL_OPTIONS))
    when(_PRLIMIT, one_of(0, (0,)))  # of itself
    when(_OPEN, no_truncating_reader(1))
    when(_OPENAT, no_truncating_reader(2))
    when(_CLONE, [(_LOAD, 0, 0, _ARGUMENTS), (_JUMP_SET, 0, 1, _THREAD), allow, refuse])
    # clone3's flags are in memory, where a filter cannot look: without it, the C library falls back to clone.
    when(_CLONE3, [missing])
    return [*lines, (_JUMP_AT_LEAST, 0, 1, _FIRST_UNKNOWN), missing, refuse]


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
