"""sip.yaml: its shape, its loader, its checks."""
