"""Collections of sound on disk: found, measured, resampled, augmented, and read in excerpts."""
