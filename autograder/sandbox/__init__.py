"""Where a submission runs: a process of its own that can reach nothing worth reaching.

    grader (host) ── zygote ── keeper ── [init of a process namespace] ── worker
    trusted          trusted   trusted    trusted                         the submission

The zygote is a small Python process with NumPy loaded, and neither PyTorch nor any expected value. On Linux it shuts
itself into a jail (`jail`): its own namespaces for files, network, processes and IPC, and a root that holds Python's
libraries and the submission, all read-only. For each test it forks a keeper, which forks the worker, watches the clock
and the pipes, and kills whatever is left. The worker gives up its identity, takes its limits (`limits`) and a filter of
system calls (`seccomp`; where there is no jail, `landlock` for files too), arms the import guard (`guard`) and only
then imports the submission (`worker`).

The worker receives inputs and returns arrays in the plain format of `autograder.wire`. The grader computes the expected
values elsewhere and compares elsewhere, so there is nothing in the worker's reach that turns wrong numbers into marks.

Everything here but `host` runs inside the zygote, and so imports nothing outside the standard library and NumPy.
"""
