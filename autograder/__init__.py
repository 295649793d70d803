"""Grades any implementation of the handout's layers and explains its errors.

The grading process never imports a submission; `autograder.sandbox` runs it elsewhere.
"""
