"""AudioGen: words to the sounds of things."""

from __future__ import annotations

from typing import ClassVar

from torchbend.interfaces.audiocraft.sampling import GenerationParams
from torchbend.interfaces.audiocraft.verbs import BendedAudiocraft

__all__ = ["BendedAudioGen"]


class BendedAudioGen(BendedAudiocraft):
    """AudioGen, bent: ``BendedAudioGen("facebook/audiogen-medium").generate(["a dog barks"])``.

    Arguments and errors are those of `AudiocraftInterface`.
    """

    default_params: ClassVar[GenerationParams] = GenerationParams(duration=10.0, extend_stride=2.0)
    default_longest: ClassVar[float] = 10.0

    def set_generation_params(
        self,
        use_sampling: bool = True,
        top_k: int = 250,
        top_p: float = 0.0,
        temperature: float = 1.0,
        duration: float = 10.0,
        cfg_coef: float = 3.0,
        two_step_cfg: bool = False,
        extend_stride: float = 2.0,
    ) -> None:
        """Set how sound is generated; what is not given is set to its default, as audiocraft does.

        Args:
            use_sampling: False: always the likeliest code.
            top_k: draw among so many of the likeliest codes; 0: among all.
            top_p: draw among the likeliest codes that have this probability together; 0: off.
            temperature: below 1 the likely gets likelier, above 1 less so.
            duration: in seconds; above 10 in overlapping windows.
            cfg_coef: how much the prompt counts.
            two_step_cfg: with and without prompt one after the other: less memory, more time.
            extend_stride: seconds that each further window adds, less than 10.

        Raises:
            GenerationError: one of them is out of range.
        """
        self.generation_params = GenerationParams(
            use_sampling=use_sampling,
            top_k=top_k,
            top_p=top_p,
            temperature=temperature,
            duration=duration,
            cfg_coef=cfg_coef,
            two_step_cfg=two_step_cfg,
            extend_stride=extend_stride,
        )
