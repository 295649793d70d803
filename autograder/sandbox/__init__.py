"""Runs a submission in a process of its own that can neither read nor change anything of value.

    grader (host) ── zygote ── keeper ── [init of a process namespace] ── worker
    trusted          trusted   trusted    trusted                         the submission

The zygote is a small Python process with NumPy loaded, and neither PyTorch nor any expected value. On Linux it enters a
jail (`jail`): its own namespaces for files, network, processes and IPC, and a root folder with Python's library, the
allowed libraries (`libraries`) and the submission, all read-only. For each test it forks a keeper, which forks the
worker, watches the clock and the pipes, and kills every process that is left. The worker changes to another user, sets
its limits (`limits`) and a filter of system calls (`seccomp`; without a jail also `landlock` for files), arms the
import guard (`guard`), and only then imports the submission (`worker`).

Before any submission runs, the zygote rehearses with a worker that does nothing. If the system refuses a protection,
the grader starts the zygote again without it and reports that.

The worker receives inputs and returns arrays in the plain format of `autograder.wire`. The grader computes the expected
values and compares in its own process, so nothing that a worker can change turns wrong numbers into marks.

Everything here but `host` runs inside the zygote, and so imports nothing outside the standard library and NumPy.
"""
