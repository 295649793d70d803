"""The verbs of `faces`, a file for each room they lead to. Thin: a verb imports what it needs, and calls it."""
