"""GANs behind their own verbs: StyleGAN2 and 3, DCGAN, and any generator that makes images of latents."""

from torchbend.interfaces.gan.dcgan import DCGAN
from torchbend.interfaces.gan.sizes import StyleGAN2Sizes
from torchbend.interfaces.gan.stylegan2 import StyleGAN2
from torchbend.interfaces.gan.stylegan3 import StyleGAN3
from torchbend.interfaces.gan.stylegan3_sizes import StyleGAN3Sizes
from torchbend.interfaces.gan.tiny import tiny_gan
from torchbend.interfaces.gan.verbs import BendedGAN

__all__ = ["DCGAN", "BendedGAN", "StyleGAN2", "StyleGAN2Sizes", "StyleGAN3", "StyleGAN3Sizes", "tiny_gan"]
