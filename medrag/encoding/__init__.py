"""Passages and questions to vectors: one module or folder for each `kind` of encoder in a recipe.

Texts:
    sentence    any sentence-transformers model, or two of one space
    medcpt      a pair of BERT encoders read by their first token
    sparse      SPLADE and its like: weights over a vocabulary

Pictures:
    clip        pictures and texts in one space: transformers, open_clip, remote code
    image       pictures alone
    page        pages as pictures, a vector for each patch, and where on the page words are found
    volume      scans and clips, by the encoder of their slices; merlin prepares a scan for Merlin
    descriptor  pictures without any weights
    projected   pictures under a trained head, in the space of an encoder of texts

Elsewhere:
    remote      a server with an address for embeddings
    cached      another encoder, with a memory on disk

What encoders are there: presets (by name), kinds (which reads a folder), presence (what is on this
machine), weights (where files lie, and how they are named by content). On top of vectors: heads.
Shared: loading (models out of a folder, and what is wrong with it), text (from texts to the batches
of a model), pictures (likewise of pictures), batching, ahead, numerics, rows.
"""
