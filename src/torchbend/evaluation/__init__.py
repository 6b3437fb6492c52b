"""How far sounds lie from one another: spectra, pitch, loudness."""
