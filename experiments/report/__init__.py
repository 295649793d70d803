"""A report of one run or of several, as a short paper: what run folders hold, in words, tables and plots."""
