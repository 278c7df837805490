"""Mixed batches: pure in (seed, epoch, batch), and labels that say what the pixels hold."""

from __future__ import annotations

import numpy as np
import pytest

from fer_utils.data.mixing import MixedBatches

IMAGES = np.repeat(np.arange(10, 250, 10, dtype=np.uint8), 64).reshape(24, 8, 8)  # each of one grey level
LABELS = np.arange(24) % 3


def batches(seed: int = 0, epoch: int = 0, policy: str = "none", **options: object) -> MixedBatches:
    return MixedBatches(IMAGES, LABELS, policy, 10, seed, epoch, n_classes=3, **options)


def everything(found: MixedBatches) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(parts) for parts in zip(*(found[i] for i in range(len(found))), strict=True))


def pairs(found: MixedBatches, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A batch's mixed images, labels, and its grey levels before they were mixed, as images come in the epoch."""
    images, labels = found[index][:2]
    rows = found.order[index * 10 : (index + 1) * 10]
    return images, labels, np.stack([IMAGES[rows, 0, 0] / 255, LABELS[rows]], axis=1)


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_batches_depend_on_seed_epoch_and_index_alone(options: dict[str, float]) -> None:
    first, again = batches(**options), batches(**options)
    expected = [first[i] for i in range(3)]
    for i in (2, 0, 1):
        for a, b in zip(again[i], expected[i], strict=True):
            np.testing.assert_array_equal(a, b)
    for other in (batches(seed=1, **options), batches(epoch=1, **options)):
        assert not np.array_equal(everything(other)[0], everything(first)[0])
    images, labels = everything(first)
    assert images.dtype == labels.dtype == np.float32 and images.shape == (24, 8, 8, 1) and labels.shape == (24, 3)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert images.min() >= 0 and images.max() <= 1


def test_mixup_is_a_mean_of_two_images_and_of_their_labels() -> None:
    found, mixed_ones = batches(mixup=1.0), 0
    for index in range(3):
        images, labels, before = pairs(found, index)
        for i, image in enumerate(images[..., 0]):
            assert np.ptp(image) < 1e-6, "pixels of an image are weighed alike"
            fits = []
            for j, (grey, label) in enumerate(before):
                own_grey, own_label = before[i]
                share = 1.0 if j == i else (image[0, 0] - grey) / (own_grey - grey)
                target = share * np.eye(3)[int(own_label)] + (1 - share) * np.eye(3)[int(label)]
                right = abs(share * own_grey + (1 - share) * grey - image[0, 0]) < 1e-5
                fits.append(right and -1e-5 <= share <= 1 + 1e-5 and np.allclose(target, labels[i], atol=1e-4))
            assert any(fits)
            mixed_ones += labels[i].max() < 0.99
    assert mixed_ones > 8, "about two thirds have a partner of another class"


def test_cutmix_labels_are_shares_of_pixels() -> None:
    found, patched = batches(cutmix=1.0), 0
    for index in range(3):
        images, labels, before = pairs(found, index)
        classes = {round(float(grey), 5): int(label) for grey, label in before}
        for image, label in zip(images[..., 0], labels, strict=True):
            levels, counts = np.unique(image.round(5), return_counts=True)
            shares = np.zeros(3)
            for level, count in zip(levels, counts, strict=True):
                shares[classes[round(float(level), 5)]] += count / 64
            np.testing.assert_allclose(label, shares, atol=1e-6)
            patched += len(levels) == 2
    assert patched > 8


def test_both_ways_take_turns_and_the_strength_is_their_alpha() -> None:
    both = batches(mixup=1.0, cutmix=1.0)
    kinds = {bool((np.ptp(batches(epoch=e, mixup=1.0, cutmix=1.0)[0][0], axis=(1, 2)) > 1e-6).any()) for e in range(9)}
    assert kinds == {True, False} and len(both) == 3
    weak, strong = (np.concatenate([batches(epoch=e, mixup=alpha)[0][1] for e in range(30)]) for alpha in (0.05, 5.0))
    assert (weak.max(axis=1) > 0.95).mean() > 0.75 > 0.5 > (strong.max(axis=1) > 0.95).mean()


def test_shares_and_weights_are_mixed_like_the_images() -> None:
    weights = np.linspace(1, 2, 24)
    shares = np.eye(3, dtype=np.float32)[LABELS]
    hard = batches(mixup=1.0)
    soft = MixedBatches(IMAGES, shares, "none", 10, 0, 0, n_classes=3, mixup=1.0, sample_weight=weights)
    images, labels, mixed = soft[1]
    np.testing.assert_array_equal(labels, hard[1][1])
    np.testing.assert_array_equal(images, hard[1][0])
    # grey level 10 + 10 i and weight 1 + i / 23 are both linear in the image's number
    np.testing.assert_allclose(mixed, 1 + (images[:, 0, 0, 0] * 255 - 10) / 230, rtol=1e-5)


def test_augmentation_comes_before() -> None:
    assert not np.array_equal(everything(batches(policy="strong", mixup=0.2))[0], everything(batches(mixup=0.2))[0])


@pytest.mark.parametrize("options", [{}, {"mixup": -0.2, "cutmix": 1.0}])
def test_without_an_alpha_there_is_nothing_to_mix(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"an alpha above 0, of mixup or of cutmix; got .*use Batches"):
        batches(**options)
