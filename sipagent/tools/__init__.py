"""What the program does for callers besides talking: the tools it brings and the operator's own."""
