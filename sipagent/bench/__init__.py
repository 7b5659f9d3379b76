"""Benchmarks that place real calls and measure from the wire."""
