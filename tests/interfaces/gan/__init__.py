"""GANs behind their own verbs."""
