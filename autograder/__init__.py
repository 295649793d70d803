"""Grades anyone's own layers against the handout's contract, and says what is wrong with them.

The process that grades never imports a submission: see `autograder.sandbox` for where the two meet.
"""
