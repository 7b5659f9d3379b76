"""What the agent says: the language model, its context, and text fit for a voice."""
