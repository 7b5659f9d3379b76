"""PCM rings, the native bridge port, WAV files."""
