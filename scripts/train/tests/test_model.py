"""The network against the official model's outputs, and its variants against what they promise."""

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from safetensors import safe_open

import rule
import weights
from model import Config, Flavr, build, channels_last, config_of, start_at_base, with_weights

GOLDENS = Path(__file__).parents[3] / "test/fixtures/goldens"
FULL = sorted(GOLDENS.glob("r*.safetensors"))


def golden(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def window(frames: torch.Tensor) -> torch.Tensor:
    """uint8 [2C, H, W, 3] to float [1, 3, 2C, H, W]."""
    return frames.float().div(255).permute(3, 0, 1, 2)[None]


def test_goldens_are_there() -> None:
    assert len(FULL) == 9


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_full_width_model_reproduces_the_official_outputs(path: Path) -> None:
    expected, metadata = golden(path)
    shapes = json.loads(metadata["tensors"])
    state = {name: rule.tensor(name, shape, float(metadata["gain"])) for name, shape in shapes.items()}
    model = build(state, metadata).eval()
    with torch.inference_mode():
        actual = model(window(expected["frames"]))[0]
    assert (actual - expected["outputs"]).abs().max() < (1e-4 if path.stem.startswith("r34") else 2e-5)


@pytest.mark.parametrize("k", [2, 8])
@pytest.mark.parametrize("form", ["legacy.pth", "zip.pth", "weights.safetensors"])
def test_weights_are_read_in_every_published_form(k: int, form: str) -> None:
    expected, _ = golden(GOLDENS / f"tiny8-k{k}.safetensors")
    model = build(*weights.read(GOLDENS / f"tiny8-k{k}.{form}")).eval()
    with torch.inference_mode():
        actual = model(window(expected["frames"]))[0]
    assert (actual - expected["outputs"]).abs().max() < 2e-5


def test_every_activation_is_the_official_one() -> None:
    expected, _ = golden(GOLDENS / "tiny8-k2.safetensors")
    model = build(*weights.read(GOLDENS / "tiny8-k2.weights.safetensors")).eval()
    places = {"stem": model.encoder.stem, "fuse": model.feature_fuse.conv}
    places |= {f"layer{n}": getattr(model.encoder, f"layer{n}") for n in range(1, 5)}
    places |= {f"decoder{n}": stage for n, stage in enumerate(model.decoder)}
    seen: dict[str, torch.Tensor] = {}
    for name, module in places.items():
        module.register_forward_hook(lambda _module, _input, output, name=name: seen.update({name: output[0]}))
    with torch.inference_mode():
        model(window(expected["frames"]))
    taps = {name.removeprefix("tap."): tensor for name, tensor in expected.items() if name.startswith("tap.")}
    assert seen.keys() == taps.keys()
    assert max((seen[name] - tap).abs().max() for name, tap in taps.items()) < 2e-5


VARIANTS = [
    dict(encoder="r2d"),
    dict(temporal="stride"),
    dict(temporal="pool"),
    dict(temporal="stride", upsampling="trilinear"),
    dict(temporal="pool", fusion="none"),
    dict(gating=False, batch_norm=True),
    dict(gating=False, upsampling="trilinear"),
    dict(inputs=2, factor=3),
    dict(inputs=8, factor=8, residual="blend", bias=True, fuse_bias=True),
    dict(fusion="add", blocks=(3, 4, 6, 3)),
    dict(stem=6, stages=(5, 7, 9, 11), decoder=(10, 8, 6, 4, 2), fuse=3),
]


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
def test_variant_is_told_again_from_its_state_dict(fields: dict[str, object]) -> None:
    config = Config.of_width(4, **fields)
    metadata = {"joinType": config.fusion, "temporal": config.temporal, "residual": config.residual}
    assert config_of(Flavr(config).state_dict(), metadata) == config


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
def test_variant_gives_every_frame_of_the_gap_and_learns_in_every_weight(fields: dict[str, object]) -> None:
    config = Config.of_width(4, **fields)
    model = Flavr(config)
    out = model(torch.rand(2, 3, config.inputs, 16, 24))
    assert out.shape == (2, config.factor - 1, 3, 16, 24)
    out.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("fields", [dict(inputs=2), dict(temporal="stride"), dict(temporal="pool")], ids=str)
def test_gradients_in_bfloat16_are_those_of_float32_with_few_time_steps(fields: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = channels_last(Flavr(Config.of_width(16, bias=True, fuse_bias=True, **fields)))
    frames = torch.rand(2, 3, model.config.inputs, 32, 32)

    def gradients(half: bool) -> list[torch.Tensor]:
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out = model(frames)
        out.float().square().mean().backward()
        return [weight.grad.clone() for weight in model.parameters()]

    for (name, _), exact, half in zip(model.named_parameters(), gradients(False), gradients(True), strict=True):
        assert (half - exact).norm() <= 0.1 * exact.norm() + 1e-4, name


def test_zeroed_head_leaves_the_blend_weighted_by_instant() -> None:
    model = Flavr(Config.of_width(4, factor=4, residual="blend"))
    start_at_base(model)
    frames = torch.rand(1, 3, 4, 16, 16)
    before, after = frames[:, :, 1], frames[:, :, 2]
    for index, t in enumerate((0.25, 0.5, 0.75)):
        assert torch.allclose(model(frames)[:, index], (1 - t) * before + t * after, atol=1e-6)


def test_zeroed_head_leaves_the_mean_colour() -> None:
    model = Flavr(Config.of_width(4, factor=4))
    start_at_base(model)
    frames = torch.rand(1, 3, 4, 16, 16)
    assert torch.allclose(model(frames), frames.mean((2, 3, 4))[:, None, :, None, None].expand(1, 3, 3, 16, 16))


def test_layout_in_memory_changes_no_number() -> None:
    torch.manual_seed(0)
    model, frames = Flavr(Config.of_width(4)).eval(), torch.rand(1, 3, 4, 16, 16)
    with torch.inference_mode():
        plain = model(frames)
        assert torch.allclose(channels_last(model)(frames), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        (dict(inputs=3), "even"),
        (dict(factor=1), "factor"),
        (dict(inputs=6, temporal="stride"), "divide by 4"),
        (dict(fusion="sum"), "concat, add, none"),
        (dict(fusion="add", stem=5), "fusion add"),
    ],
    ids=str,
)
def test_impossible_variant_is_refused_in_words(fields: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        replace(Config.of_width(4), **fields)


def test_network_takes_no_memory_before_its_weights_are_known_to_fit() -> None:
    state = Flavr(Config.of_width(2)).state_dict()
    with pytest.raises(ValueError, match="size mismatch"):
        with_weights(Config.of_width(1024), state)


def test_file_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1000, 1000)}, tmp_path / "stored.pth")
    with ZipFile(tmp_path / "stored.pth") as stored, ZipFile(tmp_path / "packed.pth", "w", ZIP_DEFLATED) as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    assert weights.read(tmp_path / "stored.pth")
    with pytest.raises(ValueError, match=r"packed.pth unpacks to 4,.* bytes, more than it has"):
        weights.read(tmp_path / "packed.pth")


def test_tensor_larger_than_what_the_file_holds_of_it_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(10**12)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="weight is larger than what the file holds"):
        weights.read(tmp_path / "a.pth")


def test_other_state_dict_is_refused_by_the_name_it_lacks() -> None:
    with pytest.raises(ValueError, match="encoder.stem.0.weight"):
        config_of({"conv.weight": torch.zeros(1)})
