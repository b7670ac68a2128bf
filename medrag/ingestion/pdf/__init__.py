"""The inside of a PDF: reading its words, order, figures, tables and sections."""
