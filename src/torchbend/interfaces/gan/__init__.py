"""GANs behind their own verbs: StyleGAN2, DCGAN, and any generator that makes images of latents."""

from torchbend.interfaces.gan.dcgan import DCGAN
from torchbend.interfaces.gan.sizes import StyleGAN2Sizes
from torchbend.interfaces.gan.stylegan2 import StyleGAN2
from torchbend.interfaces.gan.tiny import tiny_gan
from torchbend.interfaces.gan.verbs import BendedGAN

__all__ = ["DCGAN", "BendedGAN", "StyleGAN2", "StyleGAN2Sizes", "tiny_gan"]
