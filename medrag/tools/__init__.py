"""What a model may ask for while it answers: a closer look, a grounder, an expert network.

A tool takes arguments that a model wrote and the pictures that it was shown, and gives back words,
pictures and places. README.md of this folder tells how to bring one's own.
"""
