"""Ways to scan the vectors of a channel for candidates, which are then scored exactly.

A scan gives every passage an interval that holds its score. Whatever reaches the k-th best lower
end is a candidate, so that the best k passages are always among them: a coarser scan means more
candidates, never other results.
"""
