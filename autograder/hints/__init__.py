"""Hints: from a wrong result to the mistake behind it.

A guess computes the result of a known mistake. If that is the result that came back, the mistake is recognized.
`catalogue` holds the sentences, `recognize` chooses one, `errors` explains exceptions; the other files compute the
guesses of a family of layers.
"""
