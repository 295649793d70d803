"""`faces doctor`: what is here, what is missing, how to get it."""

import typer



@app.command()
def doctor() -> None:
    """What is installed, what computes (BLAS and its kernels, threads, GPU), what is missing and how to get it.

    Exit status 1 where something that every command needs is missing; what only some need is advice.

    Example: `faces doctor`
    """
    from experiments.doctor import examine
    from experiments.progress import say

    report = examine()
    for line in report.lines():
        say(line)
    raise typer.Exit(1 if report.missing else 0)
