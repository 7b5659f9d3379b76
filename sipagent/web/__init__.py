"""What the server shows of itself over HTTP: health, readiness, metrics."""
