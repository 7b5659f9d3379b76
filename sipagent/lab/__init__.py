"""The laboratory: a softphone of our own, scripted callers, pictures of calls."""
