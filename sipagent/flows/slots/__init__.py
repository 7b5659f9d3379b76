"""What callers tell: a reader for each type of slot, and the words that all of them share. Pure."""
