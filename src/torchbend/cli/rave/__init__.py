"""``torchbend rave``: from a folder of sound to a model on stage."""
