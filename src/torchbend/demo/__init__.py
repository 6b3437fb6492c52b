"""The demonstration: a model, two phrases, five ways to bend it; sounds, recipes, an export and a page.

``torchbend.demo:resynthesiser`` and ``torchbend.demo:additive`` are factories for the command line too.
"""

from torchbend.demo.additive import AdditiveSynthesiser, additive
from torchbend.demo.run import Demo, open_demo
from torchbend.demo.vocoder import Resynthesiser, resynthesiser

__all__ = ["AdditiveSynthesiser", "Demo", "Resynthesiser", "additive", "open_demo", "resynthesiser"]
