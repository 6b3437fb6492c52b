"""What each callback computes, against theory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from torchbend.bending import callbacks as cb
from torchbend.bending.callback import CallbackChain
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError, ShapeError


def weight(name="w"):
    return SiteState(name, "weight")


def activation(name="a"):
    return SiteState(name, "activation", "forward")


def test_scale_promotes_as_torch_does():
    assert torch.equal(cb.Scale(1.3)(torch.tensor([110])), torch.tensor([110]) * 1.3)
    assert cb.Scale(2)(torch.tensor([110])).dtype == torch.int64
    assert cb.Scale(2.0)(torch.ones(2, dtype=torch.half)).dtype == torch.half
    assert cb.Scale(1j)(torch.ones(2)).dtype == torch.complex64


def test_clamp_stays_inside():
    x = torch.linspace(-3, 3, 13)
    assert torch.equal(cb.Clamp(-1, 2)(x), x.clamp(-1, 2))
    assert torch.equal(cb.Clamp(None, 0.5)(x), x.clamp(max=0.5))


@given(levels=st.integers(2, 40), peak=st.floats(0.1, 10))
def test_quantize_gives_equally_spaced_levels_ends_included(levels, peak):
    x = torch.linspace(-2 * peak, 2 * peak, 1001, dtype=torch.float64)
    y = cb.Quantize(levels=levels, peak=peak)(x)
    found = torch.unique(y.div(peak / (levels - 1)).round())
    assert len(found) == levels
    assert torch.allclose(torch.unique(found.diff()), torch.tensor(2.0, dtype=torch.float64))
    assert y.max() == peak and y.min() == -peak
    inside = x.abs() <= peak
    assert ((y - x)[inside].abs() <= peak / (levels - 1) + 1e-9).all()


def test_quantize_bits_keep_zero_and_the_own_peak():
    x = torch.tensor([-0.02, 0.0, 0.01, 0.05])
    for bits in (2, 4, 8):
        y = cb.Quantize(bits)(x)
        assert y[1] == 0 and torch.isclose(y[3], x[3])
        assert torch.allclose(y, x, atol=0.05 / (2**bits - 2) + 1e-8)
    assert torch.equal(cb.Quantize()(torch.zeros(3)), torch.zeros(3))


@given(threshold=st.floats(0.1, 4), gain=st.floats(0.5, 20))
def test_fold_stays_inside_and_is_continuous(threshold, gain):
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64)
    y = cb.Fold(threshold, gain)(x)
    assert y.abs().max() <= threshold + 1e-9
    assert y.diff().abs().max() <= gain * 0.001 + 1e-9
    inside = (x * gain).abs() <= threshold
    assert torch.equal(y[inside], (x * gain)[inside])


def test_fold_reflects():
    x = torch.tensor([0.5, 1.25, 2.0, 3.0, -1.25, -3.5])
    assert torch.allclose(cb.Fold()(x), torch.tensor([0.5, 0.75, 0.0, -1.0, -0.75, 0.5]))


def test_roll_and_reverse():
    x = torch.arange(10.0).reshape(2, 5)
    assert torch.equal(cb.Roll(2)(x), x.roll(2, -1))
    assert torch.equal((cb.Roll(3) >> cb.Roll(-3))(x), x)
    assert torch.equal(cb.Roll(2, wrap=False)(x)[0], torch.tensor([0.0, 0, 0, 1, 2]))
    assert torch.equal(cb.Roll(-9, wrap=False)(x), torch.zeros(2, 5))
    assert torch.equal(cb.Roll(torch.tensor(2))(x), x.roll(2, -1))
    assert torch.equal(cb.Roll(1, dim=0)(x), x.roll(1, 0))
    assert torch.equal(cb.Reverse()(x), x.flip(-1))
    assert torch.equal((cb.Reverse(0) >> cb.Reverse(0))(x), x)


@given(length=st.integers(1, 30), size=st.integers(1, 20))
def test_smooth_average_is_the_mean_of_what_is_there(length, size):
    x = torch.randn(2, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
    y = cb.Smooth(length)(x)
    before, after = length // 2, length - length // 2
    for i in range(size):
        window = x[:, max(0, i - before) : i + after]
        assert torch.allclose(y[:, i], window.mean(1))
    assert torch.allclose(cb.Smooth(length)(torch.ones(size)), torch.ones(size))


@pytest.mark.parametrize("pole", [0.0, 0.5, 0.99])
def test_smooth_one_pole_follows_the_recursion(pole):
    x = torch.randn(3, 300, dtype=torch.float64)
    expected = [x[:, 0]]
    for i in range(1, 300):
        expected.append((1 - pole) * x[:, i] + pole * expected[-1])
    for value in (pole, torch.tensor(pole, dtype=torch.float64)):
        assert torch.allclose(cb.Smooth(pole=value)(x), torch.stack(expected, 1))
    assert torch.allclose(cb.Smooth(pole=pole, dim=0)(x.T), torch.stack(expected, 0))


def test_gate_opens_by_magnitude_or_by_channel():
    x = torch.tensor([[0.05, -0.5, 0.2], [0.05, 0.0, -0.1]])
    assert torch.equal(cb.Gate(0.1)(x), torch.tensor([[0.0, -0.5, 0.2], [0.0, 0.0, -0.1]]))
    assert torch.equal(cb.Gate(0.1)(x) + cb.Gate(0.1, invert=True)(x), x)
    assert torch.equal(cb.Gate(0.1, dim=0).apply(x, weight()), torch.stack([x[0], torch.zeros(3)]))


def test_freeze_holds_the_first_value_since_it_was_turned_on():
    hold = BendingParameter("hold", False)
    callback, site = cb.Freeze(hold), activation()
    inputs = [torch.full((2,), float(i)) for i in range(6)]
    held = []
    for i, x in enumerate(inputs):
        hold.set_value(i in (1, 2, 4, 5))
        held.append(float(callback.apply(x, site)[0]))
    assert held == [0, 1, 1, 3, 4, 4]
    out = callback.apply(inputs[0], site)
    out.zero_()  # what the model does with it stays out of the memory
    assert float(callback.apply(inputs[0], site)[0]) == 4
    assert callback.apply(torch.ones(7), site).shape == (7,)


def test_freeze_in_inference_mode_can_be_trained_through_later():
    callback, site = cb.Freeze(), activation()
    with torch.inference_mode():
        callback.apply(torch.ones(2), site)
    leaf = torch.ones(2, requires_grad=True)
    (callback.apply(torch.zeros(2), site) * leaf).sum().backward()
    assert torch.equal(leaf.grad, torch.ones(2))


def test_replace_by_a_tensor_a_number_or_another_models_weight():
    other = nn.Linear(3, 2)
    callback = cb.Replace.from_module(other, "weight")
    expected = other.weight.detach().clone()
    with torch.no_grad():
        other.weight.zero_()
    assert torch.equal(callback.apply(torch.zeros(2, 3), weight()), expected)
    assert callback.apply(torch.zeros(2, 3, dtype=torch.half), weight()).dtype == torch.half
    assert torch.equal(cb.Replace(2)(torch.ones(2)), torch.full((2,), 2.0))
    out = cb.Replace(torch.ones(3))(torch.zeros(2, 3))
    assert torch.equal(out.mul_(2), torch.full((2, 3), 2.0))
    with pytest.raises(ShapeError, match="does not fit"):
        callback.apply(torch.zeros(5), weight())
    with pytest.raises(CallbackError, match="no weight 'wieght'"):
        cb.Replace.from_module(other, "wieght")


def test_rewire_by_list_by_dict_or_backwards():
    x = torch.arange(8.0).reshape(1, 4, 2)
    assert torch.equal(cb.Rewire([3, 0, 1, 2]).apply(x, activation()), x[:, [3, 0, 1, 2]])
    assert torch.equal(cb.Rewire({0: 3, 3: 0}).apply(x, activation()), x[:, [3, 1, 2, 0]])
    assert torch.equal(cb.Rewire([1, 1]).apply(x, activation()), x[:, [1, 1, 2, 3]])
    assert torch.equal(cb.Rewire().apply(x, activation()), x.flip(1))
    assert torch.equal(cb.Rewire([1, 0]).apply(x[0], weight()), x[0][[1, 0, 2, 3]])
    assert torch.equal(cb.Rewire([-1], dim=-1).apply(x, weight()), x[..., [1, 1]])
    with pytest.raises(CallbackError, match="do not exist"):
        cb.Rewire([4]).apply(x, activation())


def test_cluster_bends_some_channels_only():
    x = torch.randn(2, 4, 5)
    y = cb.Cluster(cb.Scale(3.0), [0, -1]).apply(x, activation())
    assert torch.equal(y[:, [0, 3]], 3 * x[:, [0, 3]]) and torch.equal(y[:, 1:3], x[:, 1:3])
    assert torch.equal(cb.Cluster(cb.Scale(0.0), []).apply(x, activation()), x)
    assert cb.Cluster(cb.Scale(1.5), [0]).apply(torch.arange(4), weight()).dtype == torch.float32
    with pytest.raises(ShapeError):
        cb.Cluster(cb.Lambda(lambda v: v[..., :1], changes_shape=True), [0]).apply(x, activation())


@given(mix=st.floats(0, 1))
def test_blend_runs_from_dry_to_wet(mix):
    x = torch.linspace(-1, 1, 9)
    assert torch.allclose(cb.Blend(cb.Scale(3.0), mix)(x), (1 + 2 * mix) * x, atol=1e-6)


def test_blend_is_exact_at_both_ends():
    x = torch.tensor([0.1, float("inf"), 3.0])
    assert torch.equal(cb.Blend(cb.Reverse(), 0)(x), x)
    assert torch.equal(cb.Blend(cb.Reverse(), 1.0)(x), x.flip(-1))


def test_threshold_activation_keeps_the_largest_means_of_each_item():
    x = torch.tensor([[[1.0, 1], [4, 4], [3, 3], [2, 2]], [[9.0, 9], [0, 0], [1, 1], [2, 2]]])
    y = cb.ThresholdActivation(0.5).apply(x, activation())
    assert (y[:, :, 0] != 0).tolist() == [[False, True, True, False], [True, False, False, True]]
    z = cb.ThresholdActivation(0.5, invert=True).apply(x, activation())
    assert torch.equal(y + z, x)
    assert torch.equal(cb.ThresholdActivation(1.0).apply(x, activation()), x)
    assert not cb.ThresholdActivation(0).apply(x, activation()).any()
    assert torch.equal(cb.ThresholdActivation(0.5).apply(x[0], weight())[[0, 3]], torch.zeros(2, 2))


@given(threshold=st.floats(0, 1), seed=st.integers(0, 5))
def test_threshold_permute_moves_chosen_channels_only(threshold, seed):
    x = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(seed))
    y = cb.ThresholdPermute(threshold, seed=seed).apply(x, activation())
    chosen = cb.ThresholdActivation(threshold).apply(torch.ones_like(x) * x, activation()) != 0
    assert torch.equal(y[~chosen], x[~chosen])
    assert torch.equal(y.sum(2).sort(1).values, x.sum(2).sort(1).values)


def test_permute_then_its_inverse_is_the_identity():
    x = torch.randn(2, 16, 3)
    both = cb.Permute(seed=4) >> cb.Permute(seed=4, inverse=True)
    assert torch.equal(both.apply(x, activation()), x)
    once = cb.Permute(1, seed=4).apply(x, activation())
    assert not torch.equal(once, x) and torch.equal(once.sort(1).values, x.sort(1).values)


def test_lambda_may_write_and_may_change_the_shape():
    x = torch.ones(3)
    assert torch.equal(cb.Lambda(lambda v: v.mul_(2))(x), torch.full((3,), 2.0))
    assert torch.equal(x, torch.ones(3))
    assert cb.Lambda(torch.cat).writes_in_place and not cb.Lambda(torch.cat).changes_shape
    assert cb.Lambda(torch.cat, changes_shape=True).changes_shape


def test_interpolate_activation_mixes_as_given():
    x = torch.randn(3, 2, 4)
    mix = cb.InterpolateActivation()
    out = mix(x, torch.tensor([[-1.0, 1.0, 0.0], [0.5, 0.5, 0.0]]))
    assert torch.allclose(out, torch.stack([x[1] - x[0], (x[0] + x[1]) / 2]))
    assert torch.allclose(mix(x, [0, 0, 0], softmax=True)[0], x.mean(0))
    with pytest.raises(CallbackError, match="one weight per item"):
        mix(x, torch.ones(2))


def test_capture_records_and_interpolation_mixes_recordings():
    callback, site = cb.InterpolationFromCapture(), activation("sin")
    x = torch.randn(2, 3, 4)
    assert callback.apply(x, site) is x
    callback.capture()
    callback.apply(x, site)
    callback.apply(2 * x, site)
    callback.stop()
    assert list(callback.captures) == ["forward:sin"] and callback.n_captures("sin") == 4
    assert torch.equal(callback.get_capture("forward:sin"), torch.cat([x, 2 * x]))
    out = callback.apply(torch.tensor([[50.0, 0, 0, 0], [0, 0, 0, 50]]), site)
    assert torch.allclose(out, torch.stack([x[0], 2 * x[1]]))
    with pytest.raises(CallbackError, match="one weight per item"):
        callback.apply(x, site)
    callback.clear()
    assert callback.apply(x, site) is x
    with pytest.raises(CallbackError):
        callback.get_capture("sin")


def test_capture_is_switched_inside_others_and_refuses_mixed_lengths():
    callback, site = cb.Capture(), activation()
    chain = CallbackChain(callback, cb.Scale(2.0))
    chain.capture()
    chain.apply(torch.ones(1, 2), site)
    chain.apply(torch.ones(1, 3), site)
    chain.stop()
    chain.apply(torch.ones(1, 3), site)
    with pytest.raises(CallbackError, match="recordings"):
        callback.get_capture("a")


def test_masks_at_their_ends():
    x = torch.tensor([1.0, float("inf"), float("nan"), 4.0])
    for kind in (cb.Mask, cb.OrderedMask):
        assert torch.equal(kind(0.0).apply(x, weight()), torch.zeros(4))
        assert torch.equal(kind(1.0).apply(x, weight()).nan_to_num(), x.nan_to_num())


@settings(deadline=None)
@given(prob=st.floats(0, 1), count=st.integers(1, 60))
def test_ordered_mask_keeps_the_exact_fraction(prob, count):
    kept = cb.OrderedMask(prob).apply(torch.ones(count), weight()).sum()
    assert abs(float(kept) - prob * count) <= 0.5 + 1e-9


def test_normal_adds_or_multiplies_noise_of_its_deviation():
    x = torch.full((200, 200), 3.0)
    noise = cb.Normal(0.5, seed=1).apply(x, weight()) - 3
    assert abs(noise.std() - 0.5) < 0.01 and abs(noise.mean()) < 0.01
    assert torch.allclose(cb.Normal(0.5, seed=1, op="mul").apply(x, weight()), 3 * noise, atol=1e-5)
    assert torch.equal(cb.Normal(0.0).apply(x, weight()), x)
