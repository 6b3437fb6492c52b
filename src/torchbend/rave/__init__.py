"""The RAVE model family: plain PyTorch, streaming or not, that reads the original's checkpoints."""
