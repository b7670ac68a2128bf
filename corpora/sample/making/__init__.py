"""What `make.py` puts together: phantoms, texts and the textbook of the sample corpus."""
