"""From wrong numbers to the mistake behind them.

A guess computes what a mistake would have given; where that is what came back, the mistake is named. `catalogue` holds
the sentences, `recognise` chooses, and the other files compute, a family of layers each.
"""
