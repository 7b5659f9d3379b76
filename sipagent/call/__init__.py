"""One call: its state machines, its conversation, its clock."""
