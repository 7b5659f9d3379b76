"""Guided conversations: the program decides what may happen next, the model understands and words it."""
