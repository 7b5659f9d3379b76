"""What an operator has written down for callers: read, searched, and told, or honestly not known."""
