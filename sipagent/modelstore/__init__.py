"""The model catalogue: what models exist, where they come from, and whether they are whole."""
