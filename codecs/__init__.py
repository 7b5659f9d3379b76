"""PCM, G.711, resampling, tones and RTP parsing: pure numpy, no I/O."""
