"""Augmentation: pure draws, Keras's and SciPy's geometry, one preprocessing, batches, speed."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import scipy.ndimage
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from fer_utils.data import augmentation

pytestmark = pytest.mark.filterwarnings("ignore:.*scipy.ndimage.interpolation.*:DeprecationWarning")
PSG2025_IN_KERAS = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "fill_mode": "nearest",
}


def smooth_images(n: int, size: int = 48, seed: int = 0) -> np.ndarray:
    """uint8 (n, size, size): noise smoothed to about a face's detail, over the whole grey range."""
    noise = np.random.default_rng(seed).random((n, size, size))
    images = scipy.ndimage.gaussian_filter(noise, (0, 1.5, 1.5))
    low, high = images.min(axis=(1, 2), keepdims=True), images.max(axis=(1, 2), keepdims=True)
    return np.round(255 * (images - low) / (high - low)).astype(np.uint8)


def rows(n: int, **values: float) -> np.ndarray:
    """``n`` rows of draws that change nothing but the given fields."""
    draws = augmentation.draw("none", 0, 0, n)
    for name, value in values.items():
        draws[name] = value
    return draws


def scipy_warp(image: np.ndarray, matrix: np.ndarray, out_size: int) -> np.ndarray:
    """The same warp by SciPy, whose coordinates are (row, column)."""
    matrix = matrix[::-1][:, [1, 0, 2]]
    shape = (out_size, out_size)
    return scipy.ndimage.affine_transform(
        image.astype(np.float64), matrix[:, :2], matrix[:, 2], output_shape=shape, order=1, mode="nearest"
    )


# What is drawn


@pytest.mark.parametrize("policy", augmentation.POLICIES)
def test_draws_are_a_pure_function_of_seed_and_epoch(policy: str) -> None:
    draws = augmentation.draw(policy, 3, 5, 200)
    np.testing.assert_array_equal(draws, augmentation.draw(policy, 3, 5, 200))
    np.testing.assert_array_equal(draws[:37], augmentation.draw(policy, 3, 5, 37))
    if policy != "none":
        assert not np.array_equal(draws, augmentation.draw(policy, 3, 6, 200))
        assert not np.array_equal(draws, augmentation.draw(policy, 4, 5, 200))


def test_permutation_shows_every_image_once_and_changes_with_seed_and_epoch() -> None:
    orders = [augmentation.permutation(seed, epoch, 500) for seed, epoch in [(0, 0), (0, 1), (1, 0), (0, 0)]]
    assert all(order.dtype == np.int64 and np.array_equal(np.sort(order), np.arange(500)) for order in orders)
    assert np.array_equal(orders[0], orders[3])
    assert not np.array_equal(orders[0], orders[1]) and not np.array_equal(orders[0], orders[2])


def test_random_streams_are_those_of_the_committed_records() -> None:
    # If these numbers change (with NumPy, say), stored runs cannot be repeated: bump the recipe version.
    assert augmentation.permutation(0, 0, 8).tolist() == [4, 1, 5, 3, 6, 7, 2, 0]
    first = augmentation.draw("light", 0, 0, 1)[0]
    values = [first[name] for name in ("rotation", "shift_x", "zoom_y", "contrast")]
    assert values == pytest.approx([2.450859, -0.014541, 1.032288, 1.00513], abs=1e-6)


def test_drawing_and_applying_leave_global_state_alone() -> None:
    np.random.seed(0)  # the global generator is what must not move
    before, threads = np.random.get_state()[1].copy(), cv2.getNumThreads()
    augmentation.Batches(smooth_images(8), np.zeros(8, int), "light", 4, 0, 0)[0]
    assert np.array_equal(np.random.get_state()[1], before) and cv2.getNumThreads() == threads


@pytest.mark.parametrize("name", augmentation.POLICIES)
def test_draws_fill_the_policy_s_ranges(name: str) -> None:
    policy, draws = augmentation.POLICIES[name], augmentation.draw(name, 0, 0, 4000)
    fields = {"rotation": ("rotation", 0), "brightness": ("brightness", 0), "contrast": ("contrast", 1)}
    fields |= {f"shift_{axis}": ("shift", 0) for axis in "xy"} | {
        f"zoom_{axis}": ("zoom", 1) for axis in "xy"
    }
    for field, (range_name, centre) in fields.items():
        values, half = draws[field] - centre, getattr(policy, range_name)
        assert np.abs(values).max() <= half
        assert values.max() >= 0.99 * half and values.min() <= -0.99 * half
    assert draws["flip"].mean() == (pytest.approx(0.5, abs=0.04) if policy.flip else 0)
    assert (draws["erase_height"] > 0).mean() == pytest.approx(policy.erasing, abs=0.03)
    if policy.zoom:
        assert abs(np.corrcoef(draws["zoom_x"], draws["zoom_y"])[0, 1]) < 0.1  # each axis its own


def test_policies_say_what_the_reports_state() -> None:
    sources = {name: policy.sources() for name, policy in augmentation.POLICIES.items()}
    psg2025 = augmentation.POLICIES["psg2025"]
    assert (psg2025.rotation, psg2025.shift, psg2025.zoom, psg2025.flip) == (30, 0.2, 0.2, True)
    assert sources["psg2025"] == dict.fromkeys(("rotation", "shift", "zoom", "flip"), "stated")
    assert augmentation.POLICIES["iitk2023"].shift == 0.1
    assert sources["iitk2023"] == {"shift": "stated", "flip": "stated"}
    assert set(sources["light"].values()) == {"ours"}
    assert {name for name, said in sources["cutm2024"].items() if said == "named, range ours"} == {"rotation", "zoom"}
    assert sources["cutm2024"]["shift"] == sources["cutm2024"]["flip"] == "ours"
    assert sources["colab2023"] == {"rotation": "named, range ours", "flip": "stated"}
    assert sources["xavengers2025"].keys() == {"rotation", "flip", "brightness", "contrast"}
    assert sources["none"] == {}


# Geometry


@pytest.mark.parametrize("out_size", [48, 40, 64])
def test_the_warp_is_scipy_s_affine_transform(out_size: int) -> None:
    images, draws = smooth_images(40), augmentation.draw("psg2025", 1, 2, 40)
    ours = 255 * augmentation.apply(images, draws, out_size)[..., 0]
    warps = augmentation.matrices(draws, 48, out_size)
    theirs = np.stack([scipy_warp(image, warp, out_size) for image, warp in zip(images, warps, strict=True)])
    error = np.abs(ours - theirs)
    assert error.max() < 3 and error.mean() < 0.4  # rounding to grey levels alone gives 0.5 and 0.25


def test_a_drawn_transform_is_image_data_generator_s() -> None:
    images, draws = smooth_images(40), augmentation.draw("psg2025", 1, 2, 40)
    generator = ImageDataGenerator(**PSG2025_IN_KERAS)
    ours = 255 * augmentation.apply(images, draws)
    for image, row, mine in zip(images, draws, ours, strict=True):
        parameters = {"theta": row["rotation"], "zx": row["zoom_x"], "zy": row["zoom_y"]}
        parameters |= {"tx": 48 * row["shift_x"], "ty": 48 * row["shift_y"], "flip_horizontal": row["flip"]}
        theirs = generator.apply_transform(image[..., None].astype(np.float32), parameters)
        assert np.abs(mine - theirs).max() < 3 and np.abs(mine - theirs).mean() < 0.4


def test_draws_have_the_ranges_of_image_data_generator() -> None:
    state, generator = np.random.get_state(), ImageDataGenerator(**PSG2025_IN_KERAS)
    theirs = [generator.get_random_transform((48, 48, 1), seed=seed) for seed in range(2000)]
    np.random.set_state(state)
    draws = augmentation.draw("psg2025", 0, 0, 2000)
    names = {"theta": ("rotation", 1), "tx": ("shift_x", 48), "ty": ("shift_y", 48)}
    for name, (field, unit) in (names | {"zx": ("zoom_x", 1), "zy": ("zoom_y", 1)}).items():
        values = np.array([parameters[name] for parameters in theirs])
        quantiles = np.linspace(0, 1, 5)
        spread = np.ptp(values)
        ours = np.quantile(unit * draws[field], quantiles)
        np.testing.assert_allclose(ours, np.quantile(values, quantiles), atol=0.05 * spread)


def test_a_flip_alone_is_exact() -> None:
    images = smooth_images(3)
    np.testing.assert_array_equal(
        augmentation.apply(images, rows(3, flip=True)), augmentation.prepare(images[:, :, ::-1])
    )


def test_a_flip_is_exact_inside_the_warp() -> None:
    images = smooth_images(3)
    flipped = augmentation.apply(images, rows(3, flip=True, shift_x=1 / 48))  # input column 47 - x + 1
    expected = augmentation.prepare(images[:, :, ::-1])
    np.testing.assert_array_equal(flipped[:, :, 1:], expected[:, :, :-1])


def test_a_shift_moves_columns_by_whole_pixels_and_replicates_the_border() -> None:
    image = smooth_images(1)
    shifted = augmentation.apply(image, rows(1, shift_x=6 / 48))[0, :, :, 0]
    expected = augmentation.prepare(image)[0, :, :, 0]
    np.testing.assert_array_equal(shifted[:, :-6], expected[:, 6:])
    np.testing.assert_array_equal(shifted[:, -6:], np.repeat(expected[:, -1:], 6, axis=1))


@pytest.mark.parametrize("out_size", [32, 40, 96])
def test_a_change_of_size_inside_the_warp_keeps_the_face_in_its_place(out_size: int) -> None:
    images = smooth_images(4)
    warped = 255 * augmentation.apply(images, rows(4, rotation=1e-9), out_size)[..., 0]
    side = (out_size, out_size)
    resized = np.stack([cv2.resize(image, side, interpolation=cv2.INTER_LINEAR) for image in images])
    assert np.abs(warped - resized).max() <= 2


# Grey values


@pytest.mark.parametrize("out_size", [48, 32, 64])
def test_no_augmentation_is_prepare_bit_for_bit(out_size: int) -> None:
    images, none = smooth_images(6), augmentation.draw("none", 0, 0, 6)
    expected = augmentation.prepare(images, out_size)
    assert expected.shape == (6, out_size, out_size, 1) and expected.dtype == np.float32
    np.testing.assert_array_equal(augmentation.apply(images, none, out_size), expected)
    mixed = augmentation.draw("light", 0, 0, 6)
    mixed[2] = none[2]
    np.testing.assert_array_equal(augmentation.apply(images, mixed, out_size)[2], expected[2])


def test_prepare_scales_and_sizes() -> None:
    image = np.arange(48 * 48, dtype=np.int64).reshape(48, 48).astype(np.uint8)
    np.testing.assert_array_equal(
        augmentation.prepare(image)[0, :, :, 0], image.astype(np.float32) / np.float32(255)
    )
    crop = np.full((101, 80), 51, np.uint8)
    np.testing.assert_array_equal(augmentation.prepare(crop), np.full((1, 48, 48, 1), 0.2, np.float32))
    assert augmentation.prepare(np.empty((0, 60, 60), np.uint8)).shape == (0, 48, 48, 1)


def test_contrast_turns_about_the_image_s_mean_then_brightness_is_added_and_clipped() -> None:
    image = np.zeros((1, 2, 2), np.uint8)
    image[0] = [[51, 51], [102, 204]]  # mean 102: 0.4
    toned = augmentation.apply(image, rows(1, contrast=1.5, brightness=0.1))[0, :, :, 0]
    np.testing.assert_allclose(toned, [[0.2, 0.2], [0.5, 1.0]], atol=1e-6)  # 0.4 + 1.5 * 0.4 + 0.1 is clipped


def test_erasing_fills_one_rectangle_inside_the_image() -> None:
    images, draws = smooth_images(300), rows(300)
    light = augmentation.draw(augmentation.Policy(erasing=1), 0, 0, 300)
    for name in ("height", "width", "top", "left", "grey"):
        draws[f"erase_{name}"] = light[f"erase_{name}"]
    erased, kept = augmentation.apply(images, draws)[..., 0], augmentation.prepare(images)[..., 0]
    changed = erased != kept
    areas = light["erase_height"] * light["erase_width"]
    assert 0.02 <= areas.min() < 0.03 and 0.19 < areas.max() <= 0.2
    assert np.abs(changed.mean(axis=(1, 2)) - areas).max() < 0.03
    for image, mask, row in zip(erased, changed, light, strict=True):
        assert np.all(image[mask] == np.float32(row["erase_grey"]))
        y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask[y[0] : y[-1] + 1, x[0] : x[-1] + 1].mean() > 0.9  # pixels of that grey look unchanged


@pytest.mark.parametrize("policy", augmentation.POLICIES)
def test_results_stay_in_range_and_do_not_depend_on_the_batch(policy: str) -> None:
    images, draws = smooth_images(50), augmentation.draw(policy, 0, 0, 50)
    together = augmentation.apply(images, draws)
    assert together.dtype == np.float32 and together.shape == (50, 48, 48, 1)
    assert together.min() >= 0 and together.max() <= 1
    alone = [augmentation.apply(images[i : i + 1], draws[i : i + 1])[0] for i in range(50)]
    np.testing.assert_array_equal(together, np.stack(alone))


# Batches


def marked(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose grey value is their label."""
    labels = np.arange(n)
    return np.broadcast_to(labels[:, None, None], (n, 48, 48)).astype(np.uint8), labels


def test_batches_show_every_image_once_with_its_own_label_and_weight() -> None:
    images, labels = marked(23)
    batches = augmentation.Batches(images, labels, "psg2025", 5, 7, 3, sample_weight=labels / 2)
    shown = [batches[i] for i in range(len(batches))]
    assert [len(y) for _, y, _ in shown] == [5, 5, 5, 5, 3]
    x, y, w = (np.concatenate(parts) for parts in zip(*shown, strict=True))
    assert (x.dtype, y.dtype, w.dtype) == (np.float32, np.int32, np.float32)
    np.testing.assert_array_equal(y, augmentation.permutation(7, 3, 23))
    np.testing.assert_array_equal(w, y / 2)
    np.testing.assert_array_equal(x, np.broadcast_to(augmentation.prepare(images)[y], x.shape))
    expected = augmentation.apply(images[y[:5]], augmentation.draw("psg2025", 7, 3, 23)[y[:5]])
    np.testing.assert_array_equal(batches[0][0], expected)


def test_batches_take_soft_labels_an_order_a_size_and_full_batches_only() -> None:
    images, labels = marked(10)
    soft = np.eye(10)[labels]
    batches = augmentation.Batches(
        images, soft, "light", 4, 0, 0, size=32, drop_last=True, order=np.arange(9, -1, -1)
    )
    assert len(batches) == 2 and len(list(batches)) == 2
    x, y = batches[1]
    assert x.shape == (4, 32, 32, 1) and y.dtype == np.float32
    np.testing.assert_array_equal(y.argmax(1), [5, 4, 3, 2])


def test_threads_see_the_same_batches() -> None:
    batches = augmentation.Batches(smooth_images(200), np.zeros(200, int), "light", 16, 0, 0)
    serial = [batches[i][0] for i in range(len(batches))]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda i: batches[i][0], range(len(batches))))
    assert all(np.array_equal(a, b) for a, b in zip(serial, threaded, strict=True))


DIGEST = """
import hashlib, numpy as np
from fer_utils.data import augmentation
images = np.random.default_rng(0).integers(0, 256, (64, 48, 48), np.uint8)
batches = augmentation.Batches(images, np.arange(64), "light", 16, 11, 4)
print(hashlib.sha256(b"".join(part.tobytes() for batch in batches for part in batch)).hexdigest())
"""


def test_another_process_on_another_backend_makes_the_same_images() -> None:
    others = {"tensorflow", "jax", "torch"} - {keras.backend.backend()}
    other = next((name for name in sorted(others) if importlib.util.find_spec(name)), None)
    if other is None:
        pytest.skip("only one Keras backend is installed")
    root = Path(augmentation.__file__).parents[2]
    env = os.environ | {"KERAS_BACKEND": other, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], env=env, capture_output=True, text=True, check=True
    )
    images = np.random.default_rng(0).integers(0, 256, (64, 48, 48), np.uint8)
    batches = augmentation.Batches(images, np.arange(64), "light", 16, 11, 4)
    here = hashlib.sha256(b"".join(part.tobytes() for batch in batches for part in batch)).hexdigest()
    assert there.stdout.split()[-1] == here


def test_at_least_eight_times_as_fast_as_image_data_generator() -> None:
    images, labels = smooth_images(512), np.zeros(512, int)
    ours = augmentation.Batches(images, labels, "psg2025", 64, 0, 0)
    flow = ImageDataGenerator(**PSG2025_IN_KERAS).flow(
        images[..., None].astype(np.float32), labels, batch_size=64
    )
    threads, state, seconds = cv2.getNumThreads(), np.random.get_state(), {"ours": [], "keras": []}
    cv2.setNumThreads(1)
    try:
        # In turns, in this thread's processor time, the best of each: other processes disturb both alike.
        for name, batches in 10 * [("keras", flow), *6 * [("ours", ours)]]:
            start = time.thread_time()
            for i in range(8):
                batches[i]
            seconds[name].append(time.thread_time() - start)
    finally:
        cv2.setNumThreads(threads)
        np.random.set_state(state)
    theirs, mine = (512 / min(seconds[name]) for name in ("keras", "ours"))
    print(f"{mine:.0f} against {theirs:.0f} images/s: {mine / theirs:.1f} times")
    assert mine >= 8 * theirs


# Errors


IMAGES, LABELS = marked(6)
MISUSES = {
    "psg2024.*psg2025": lambda: augmentation.draw("psg2024", 0, 0, 6),
    "rotation.*got 200": lambda: augmentation.Policy(rotation=200),
    "shear": lambda: augmentation.Policy(stated=("shear",)),
    "seed and epoch.*-1": lambda: augmentation.permutation(0, -1, 6),
    "uint8.*float32": lambda: augmentation.prepare(IMAGES.astype(np.float32)),
    r"uint8.*\(6, 48, 48, 1\)": lambda: augmentation.prepare(IMAGES[..., None]),
    r"n, s, s.*\(6, 48, 40\)": lambda: augmentation.apply(IMAGES[:, :, :40], rows(6)),
    r"Draws.*\(5,\)": lambda: augmentation.apply(IMAGES, rows(5)),
    r"Labels.*\(5,\)": lambda: augmentation.Batches(IMAGES, LABELS[:5], "none", 2, 0, 0),
    r"Labels.*float32 \(6,\)": lambda: augmentation.Batches(IMAGES, LABELS / 2, "none", 2, 0, 0),
    r"Weights.*\(5,\)": lambda: augmentation.Batches(IMAGES, LABELS, "none", 2, 0, 0, sample_weight=np.ones(5)),
    "order.*below 6": lambda: augmentation.Batches(IMAGES, LABELS, "none", 2, 0, 0, order=np.array([6])),
    "6 images by 0": lambda: augmentation.Batches(IMAGES, LABELS, "none", 0, 0, 0),
    "6 images by 7": lambda: augmentation.Batches(IMAGES, LABELS, "none", 7, 0, 0, drop_last=True),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_is_refused_with_what_came_and_what_to_do(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MISUSES[message]()


def test_there_is_no_batch_after_the_last() -> None:
    with pytest.raises(IndexError, match="got 3"):
        augmentation.Batches(IMAGES, LABELS, "none", 2, 0, 0)[3]


def test_rows_choose_images_without_copying_them() -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 48, 48), dtype=np.uint8)
    rows = np.array([5, 2, 9, 0])
    labels = np.arange(4)
    chosen = augmentation.Batches(images, labels, "light", 2, seed=1, epoch=2, rows=rows)
    copied = augmentation.Batches(images[rows], labels, "light", 2, seed=1, epoch=2)
    assert chosen.images is images and len(chosen) == len(copied) == 2
    for ours, theirs in zip(chosen, copied, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


# Views


def test_a_view_at_full_size_is_the_image_or_its_mirror_image() -> None:
    images = smooth_images(4)
    for mirrored, step in ((False, 1), (True, -1)):
        expected = augmentation.prepare(images[:, :, ::step])
        np.testing.assert_array_equal(augmentation.view(images, 1.0, mirrored), expected)


@pytest.mark.parametrize("size", [0.9, 1.1])
def test_a_view_shows_that_share_of_the_image_about_its_centre(size: float) -> None:
    images = smooth_images(4)
    row, column = size * (np.indices((48, 48)) - 23.5) + 23.5
    for mirrored in (False, True):
        places = (row, 47 - column if mirrored else column)
        expected = [scipy.ndimage.map_coordinates(im.astype(float), places, order=1, mode="nearest") for im in images]
        seen = 255 * augmentation.view(images, size, mirrored)[..., 0]
        assert np.abs(seen - expected).max() < 3
