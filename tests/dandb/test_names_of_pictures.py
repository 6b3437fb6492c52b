"""A row of pictures may have one name, at its first picture."""

from __future__ import annotations

import torch

import dandb


def test_pictures_without_a_name_are_not_listed() -> None:
    figure = dandb.plot_image_grid(
        torch.rand(4, 3, 8, 8), ["plain", "", "bent", ""], columns=2, display=False
    )
    assert figure.description == "4 pictures of 8 x 8 pixels. Names: plain, bent."
    assert "Names" not in dandb.plot_image_grid(torch.rand(2, 8, 8), ["", ""], display=False).description
